//! Blocking and unblocking users, and what a block revokes (docs/contract.md, Second factors and tokens;
//! docs/security.md R38).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    era::{CHECK_MAIL, era_refused},
    login::{other_than, token_in},
    mithril::{data, fields_refused, refused, scope_too_small, token_expired, user_blocked, wrong_code},
    people::PHONE,
    requests::Response,
    words::{NO_PIN, NO_REQUEST, UNEXPECTED_FIELD, WRONG_IDENTITY},
    world::World,
};

#[track_caller]
fn already(got: &Response, what: &str) {
    refused(got, 409, "request_conflict", &format!("user already {what}"));
}

#[tokio::test]
async fn a_block_lasts_until_the_user_is_unblocked() {
    let world = World::new().await;
    let demo = world.demo();
    let shown = |is_blocked: bool, updated_at: &Value, inserted_at: &Value| {
        let block_reason = is_blocked.then_some("Blocked by an administrator");
        json!({
            "id": demo.id, "email": demo.email, "domain": world.id("/domain"), "login": "demo", "name": "Demo User",
            "is_admin": false, "is_blocked": is_blocked, "block_reason": block_reason, "settings": {},
            "inserted_at": inserted_at, "updated_at": updated_at,
        })
    };
    already(&world.block_action(&demo, "unblock").await, "unblocked");
    let blocked = data(&world.block_action(&demo, "block").await, 200);
    assert_eq!(blocked, shown(true, &blocked["updated_at"], &blocked["inserted_at"]));
    already(&world.block_action(&demo, "block").await, "blocked");
    user_blocked(&world.sign_in(&demo, &demo.password).await);
    world.advance(100 * 86_400).await;
    user_blocked(&world.sign_in(&demo, &demo.password).await);
    let open = data(&world.block_action(&demo, "unblock").await, 200);
    assert_eq!(open, shown(false, &open["updated_at"], &blocked["inserted_at"]));
    assert_ne!(open["updated_at"], blocked["updated_at"]);
    already(&world.block_action(&demo, "unblock").await, "unblocked");
    world.begin_login(&demo).await;
}

#[tokio::test]
async fn a_block_revokes_everything_that_was_issued() {
    let world = World::new().await;
    let demo = world.demo();
    let (login, code) = world.begin_login(&demo).await;
    let access = token_in(&world.submit_code(&login, &code).await);
    world.advance(60).await;
    let app = world.create_app_token(&demo).await;
    let approval = token_in(&world.init_factor(&app, "+380881234599").await);
    let (login, code) = world.begin_login(&demo).await;
    let own = "/api/v4/user/support_pin";
    let pin = world.post(own).bearer(world.user()).send().await.ok(201);
    world.request_reset(&demo.email).send().await.is(200, CHECK_MAIL);
    let link = world.link_to(&demo.email).await;
    let of = format!("/api/v4/users/{}/support_pin", demo.id);
    assert_eq!(world.get(&of).bearer(world.admin()).send().await.ok(200)["pin"], pin["pin"]);

    data(&world.block_action(&demo, "block").await, 200);
    for got in [
        world.submit_code(&login, &code).await,
        world.refresh_login(&login).await,
        world.resend_code(&demo, &login).await,
        world.approve_factor(&approval, &code).await,
        world.init_factor(&app, "+380881234599").await,
    ] {
        user_blocked(&got);
    }
    assert!(!world.token_works(world.user()).await);
    data(&world.block_action(&demo, "unblock").await, 200);
    // Revoked logins stay revoked.
    token_expired(&world.submit_code(&login, &code).await);
    token_expired(&world.refresh_login(&login).await);
    token_expired(&world.resend_code(&demo, &login).await);
    token_expired(&world.approve_factor(&approval, &code).await);
    for token in [&login, &approval, &access, &app, world.user()] {
        token_expired(&world.init_factor(token, "+380881234599").await);
        assert!(!world.token_works(token).await);
    }
    let gone = NO_PIN;
    world.get(&of).bearer(world.admin()).send().await.is(404, gone);
    era_refused(&world.reset_password(&link, "another-horse").await, 404, NO_REQUEST);
    // A login after it works; the code that was sent before it does not.
    let (fresh, new) = world.begin_login(&demo).await;
    if new != code {
        wrong_code(&world.submit_code(&fresh, &code).await);
    }
    world.submit_code(&fresh, &new).await.ok(201);
}

#[tokio::test]
async fn unblocking_resets_the_failure_counts() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, code) = world.begin_login(&demo).await;
    for _ in 0..3 {
        wrong_code(&world.submit_code(&token, &other_than(&code)).await);
    }
    // One more guess, at an exhausted code, and the user is blocked.
    wrong_code(&world.submit_code(&token, &code).await);
    user_blocked(&world.submit_code(&token, &code).await);
    for (round, why) in ["passwords", "otps", "passwords"].into_iter().enumerate() {
        let open = data(&world.block_action(&demo, "unblock").await, 200);
        assert_eq!((&open["is_blocked"], &open["block_reason"]), (&json!(false), &Value::Null));
        world.advance(3600).await;
        if round % 2 == 0 {
            for _ in 0..3 {
                let got = world.sign_in(&demo, "wrong").await;
                refused(&got, 401, "access_denied", WRONG_IDENTITY);
            }
            // Three failures are tolerated: the counter was reset to zero.
            world.begin_login(&demo).await;
            for _ in 0..4 {
                let got = world.sign_in(&demo, "wrong").await;
                refused(&got, 401, "access_denied", WRONG_IDENTITY);
            }
        } else {
            let (token, code) = world.begin_login(&demo).await;
            for _ in 0..4 {
                wrong_code(&world.submit_code(&token, &other_than(&code)).await);
            }
        }
        user_blocked(&world.sign_in(&demo, &demo.password).await);
        assert_eq!(world.user_row(&demo.id).await["lockout"]["M"]["why"]["S"], why, "round {round}");
    }
}

#[tokio::test]
async fn an_administrators_block_replaces_one_by_failures_on_request() {
    let world = World::with(&[("BlockSeconds", "60")]).await;
    let demo = world.demo();
    for _ in 0..4 {
        world.sign_in(&demo, "wrong").await.ok(401);
    }
    user_blocked(&world.sign_in(&demo, &demo.password).await);
    let before = world.user_row(&demo.id).await;
    already(&world.block_action(&demo, "block").await, "blocked");
    for body in [json!({}), json!({ "replace": false })] {
        let ask = world.request("PATCH", &demo.action_path("block")).bearer(world.admin());
        already(&ask.json(&body).send().await, "blocked");
    }
    assert_eq!(world.user_row(&demo.id).await, before, "the block expires as it would have");
    let blocked = data(&world.replace_block(&demo).await, 200);
    assert_eq!(
        (&blocked["is_blocked"], &blocked["block_reason"]),
        (&json!(true), &json!("Blocked by an administrator"))
    );
    already(&world.block_action(&demo, "block").await, "blocked");
    already(&world.replace_block(&demo).await, "blocked");
    // Neither time nor a new password unblocks the user.
    world.advance(3600).await;
    user_blocked(&world.sign_in(&demo, &demo.password).await);
    world.request_reset(&demo.email).send().await.is(200, CHECK_MAIL);
    let link = world.link_to(&demo.email).await;
    assert_eq!(world.reset_password(&link, "another-horse").await.status, 200);
    user_blocked(&world.sign_in(&demo, "another-horse").await);
    data(&world.block_action(&demo, "unblock").await, 200);
    world.sign_in(&demo, "another-horse").await.ok(201);
    // `replace` also blocks a user without a block; and after a block has expired, `replace` is not needed.
    data(&world.replace_block(&demo).await, 200);
    data(&world.block_action(&demo, "unblock").await, 200);
    for _ in 0..4 {
        world.sign_in(&demo, "wrong").await.ok(401);
    }
    world.advance(60).await;
    data(&world.block_action(&demo, "block").await, 200);
}

#[tokio::test]
async fn one_of_parallel_requests_changes_the_block() {
    let world = World::new().await;
    let demo = world.demo();
    for round in 0..4 {
        let action = if round % 2 == 0 { "block" } else { "unblock" };
        let got = join_all((0..32).map(|_| world.block_action(&demo, action))).await;
        assert_eq!(got.iter().filter(|got| got.status == 200).count(), 1, "{action}");
        for got in got.iter().filter(|got| got.status != 200) {
            already(got, &format!("{action}ed"));
        }
        // If an answer is lost, the retry still succeeds.
        let back = if round % 2 == 0 { "unblock" } else { "block" };
        for action in [back, action] {
            let lost = json!({ "service": "dynamodb", "operation": "UpdateItem", "kind": "drop_response", "times": 1 });
            world.inject(lost).await;
            let user = data(&world.block_action(&demo, action).await, 200);
            assert_eq!(user["is_blocked"], action == "block");
        }
    }
}

#[tokio::test]
async fn a_block_requires_its_scope_and_accepts_no_unknown_fields() {
    let world = World::new().await;
    let demo = world.demo();
    let admin = world.demo_admin();
    for (action, scope, other) in [
        ("block", "user:block", "user:unblock"),
        ("unblock", "user:unblock", "user:block"),
    ] {
        let token = async |scope: &str| world.create_token(json!({ "user_id": admin.id, "scopes": [scope] })).await;
        let path = demo.action_path(action);
        let got = world.request("PATCH", &path).bearer(&token(other).await).send().await;
        scope_too_small(&got, scope);
        let got = world
            .request("PATCH", &path)
            .bearer(world.admin())
            .json(&json!({ "reason": "x", "user_id": demo.id }))
            .send()
            .await;
        fields_refused(&got, &[["$.reason", "additionalProperties", UNEXPECTED_FIELD]]);
        data(&world.request("PATCH", &path).bearer(&token(scope).await).send().await, 200);
    }
    // A client may, in its domain; and administrators may block themselves.
    let client = world
        .create_token(json!({ "owner_client_id": "heatclinic", "scopes": ["user:block", "user:unblock"] }))
        .await;
    for action in ["block", "unblock"] {
        data(&world.request("PATCH", &demo.action_path(action)).bearer(&client).send().await, 200);
    }
    data(&world.block_action(&admin, "block").await, 200);
    user_blocked(&world.block_action(&admin, "unblock").await);
    data(&world.request("PATCH", &admin.action_path("unblock")).bearer(&client).send().await, 200);
    token_expired(&world.block_action(&demo, "block").await);
    assert_eq!(world.sms_to(PHONE).await.len(), 0);
}
