//! Password change by a signed-in user who knows the password: docs/contract.md, Registration and password reset.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    era::{CHECK_MAIL, era_refused, field_refused, password_set, too_many_requests},
    password::{NEW, OLD, RESET, change_notices_sent},
    people::DOMAIN,
    support_pin::OWN_PIN,
    words::{ACCOUNT_BLOCKED, ERA_UNAUTHORIZED, MALFORMED, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, WRONG_PASSWORD},
    world::World,
};

#[tokio::test]
async fn a_change_is_one_request_and_revokes_the_session() {
    let world = World::new().await;
    let (token, id) = world.new_user("Maria_K").await;
    password_set(&world.change_password(&token, OLD, NEW).await, "Maria_K");
    era_refused(&world.change_password(&token, NEW, OLD).await, 401, ERA_UNAUTHORIZED);
    assert_eq!(world.get(OWN_PIN).private_token(&token).send().await.status, 401);
    assert!(!world.password_works(&id, OLD).await);
    assert!(world.password_works(&id, NEW).await);
}

#[tokio::test]
async fn a_wrong_current_password_changes_nothing() {
    let world = World::new().await;
    let (token, id) = world.new_user("maria").await;
    let before = world.user_row(&id).await;
    for wrong in [
        NEW,
        "Correct-horse",
        "correct-horse ",
        "correct-hors",
        "correct-horse\0",
        world.id("/user/password"),
    ] {
        if wrong == world.id("/user/password") {
            world.advance(3600).await;
        }
        field_refused(&world.change_password(&token, wrong, NEW).await, "current_pwd", WRONG_PASSWORD);
    }
    assert_eq!(world.user_row(&id).await, before);
    assert!(world.messages().await.is_empty());
    password_set(&world.change_password(&token, OLD, NEW).await, "maria");
}

#[tokio::test]
async fn an_overlong_current_password_does_not_count_as_a_guess() {
    let world = World::new().await;
    let (token, _) = world.new_user("maria").await;
    for _ in 0..6 {
        let got = world.change_password(&token, &"x".repeat(1025), NEW).await;
        field_refused(&got, "current_pwd", "current_pwd is too long");
    }
    let longest = world.change_password(&token, &"x".repeat(1024), NEW).await;
    field_refused(&longest, "current_pwd", WRONG_PASSWORD);
    password_set(&world.change_password(&token, OLD, NEW).await, "maria");
}

#[tokio::test]
async fn a_change_is_validated_strictly_before_a_guess_is_counted() {
    let world = World::new().await;
    let (token, _) = world.new_user("maria").await;
    let long = "xY0!".repeat(33);
    for (body, field, message) in [
        (json!({}), "current_pwd", "current_pwd is required"),
        (json!({ "current_pwd": OLD }), "new_pwd", "new_pwd is required"),
        (json!({ "new_pwd": NEW }), "current_pwd", "current_pwd is required"),
        (json!({ "current_pwd": OLD, "new_pwd": "" }), "new_pwd", "new_pwd is required"),
        (json!({ "current_pwd": null, "new_pwd": NEW }), "current_pwd", "current_pwd is required"),
        (json!({ "current_pwd": OLD, "new_pwd": 12_345_678 }), "new_pwd", "new_pwd must be a string"),
        (json!({ "current_pwd": [OLD], "new_pwd": NEW }), "current_pwd", "current_pwd must be a string"),
        (
            json!({ "current_pwd": OLD, "new_pwd": NEW, "user_id": world.id("/admin/user_id") }),
            "user_id",
            "user_id is not expected",
        ),
        (
            json!({ "current_pwd": OLD, "new_pwd": NEW, "key": "demo", "domain": DOMAIN }),
            "domain",
            "domain is not expected",
        ),
        (
            json!({ "current_pwd": OLD, "new_pwd": "ew!hIb3" }),
            "new_pwd",
            "new_pwd is too short. Expected: at least 8 characters",
        ),
        (
            json!({ "current_pwd": "wrong", "new_pwd": long }),
            "new_pwd",
            "new_pwd is too long. Expected: at most 128 characters",
        ),
        (
            json!({ "current_pwd": OLD, "new_pwd": "ew hIb3V" }),
            "new_pwd",
            "new_pwd contains invalid symbols. Expected: A-Za-z0-9_-.~!",
        ),
        (
            json!({ "current_pwd": OLD, "new_pwd": "Password" }),
            "new_pwd",
            "new_pwd is one of the most common passwords",
        ),
    ] {
        let got = world.post(RESET).bearer(&token).json(&body).send().await;
        assert_eq!(got.status, 412, "{body}: {got:?}");
        field_refused(&got, field, message);
    }
    assert!(world.rows("BudgetsTable").await.is_empty(), "nothing was counted");
    let send = async |kind: &str, body: &str| world.post(RESET).bearer(&token).body(kind, body).send().await;
    era_refused(&send("application/json", "[]").await, 400, MALFORMED);
    era_refused(&send("text/plain", "{}").await, 415, UNSUPPORTED_MEDIA_TYPE);
    let large = format!("{{}}{}", " ".repeat(16 * 1024));
    era_refused(&send("application/json", &large).await, 413, TOO_LARGE);
    password_set(&world.change_password(&token, OLD, NEW).await, "maria");
}

#[tokio::test]
async fn an_unauthenticated_caller_changes_nothing() {
    let world = World::new().await;
    let (token, id) = world.new_user("maria").await;
    let short = world.create_token(json!({ "user_id": id, "scopes": ["api"], "lifetime_seconds": 100 })).await;
    let revoked = world.create_token(json!({ "user_id": id, "scopes": ["api"] })).await;
    let done = world.run_command(json!({ "command": "revoke_token", "token": revoked })).await;
    assert_eq!(done, json!({ "done": true, "changed": true }));
    let clients = world.create_token(json!({ "owner_client_id": "heatclinic", "scopes": ["api"] })).await;
    world.advance(101).await;
    let before = world.user_row(&id).await;

    let body = json!({ "current_pwd": OLD, "new_pwd": NEW });
    let unknown = r#"Bearer error="invalid_token""#;
    let bearer = |token: &str| format!("Bearer {token}");
    let (other_secret, shortened) = (format!("{token}x"), token[..token.len() - 1].to_owned());
    for (authorization, challenge) in [
        (None, "Bearer"),
        (Some("Basic bWFyaWE6Y29ycmVjdC1ob3JzZQ==".to_owned()), "Bearer"),
        (Some(token.clone()), "Bearer"),
        (Some(bearer("")), "Bearer"),
        (Some(bearer("x")), unknown),
        (Some(bearer(&other_secret)), unknown),
        (Some(bearer(&shortened)), unknown),
        (Some(bearer(&short)), unknown),
        (Some(bearer(&revoked)), unknown),
        (Some(bearer(&clients)), unknown),
    ] {
        let mut ask = world.post(RESET).json(&body);
        if let Some(authorization) = &authorization {
            ask = ask.header("authorization", authorization);
        }
        let got = ask.send().await;
        assert_eq!(got.status, 401, "{authorization:?}: {got:?}");
        era_refused(&got, 401, ERA_UNAUTHORIZED);
        assert_eq!(got.header("www-authenticate"), Some(challenge), "{authorization:?}");
    }
    // A token is accepted in one place only: not in the query, not in another dialect's header.
    for name in ["access_token", "private_token"] {
        let got = world.post(RESET).query(&[(name, token.as_str())]).json(&body).send().await;
        era_refused(&got, 401, ERA_UNAUTHORIZED);
    }
    let got = world.post(RESET).private_token(&token).json(&body).send().await;
    era_refused(&got, 401, ERA_UNAUTHORIZED);

    for scopes in [
        json!(["read_user"]),
        json!(["read_api"]),
        json!(["passcode"]),
        json!(["read_user", "passcode"]),
    ] {
        let small = world.create_token(json!({ "user_id": id, "scopes": scopes })).await;
        let got = world.change_password(&small, OLD, NEW).await;
        era_refused(&got, 403, "forbidden");
        assert_eq!(got.header("www-authenticate"), Some(r#"Bearer error="insufficient_scope""#));
    }
    assert_eq!(world.user_row(&id).await, before);
    world.run_command(json!({ "command": "block_user", "user_id": id })).await;
    era_refused(&world.change_password(&token, OLD, NEW).await, 403, ACCOUNT_BLOCKED);
    assert!(world.rows("BudgetsTable").await.is_empty(), "no guess was counted");
    world.run_command(json!({ "command": "unblock_user", "user_id": id })).await;
    era_refused(&world.change_password(&token, OLD, NEW).await, 401, ERA_UNAUTHORIZED);
    let token = world.create_token(json!({ "user_id": id, "scopes": ["api"] })).await;
    password_set(&world.change_password(&token, OLD, NEW).await, "maria");
}

#[tokio::test]
async fn parallel_guesses_are_counted_before_they_are_compared() {
    let world = World::new().await;
    let (token, id) = world.new_user("maria").await;
    // All sessions of a user share the limit of guesses.
    let second = world.create_token(json!({ "user_id": id, "scopes": ["api"] })).await;
    let (other, _) = world.new_user("other").await;
    let tokens = [&token, &second].into_iter().cycle().take(32);
    let guesses = join_all(
        tokens
            .enumerate()
            .map(async |(n, token)| world.change_password(token, &format!("wrong-guess-{n}"), NEW).await),
    )
    .await;
    let (evaluated, refused): (Vec<_>, Vec<_>) = guesses.iter().partition(|got| got.status == 412);
    assert_eq!(evaluated.len(), 5, "{guesses:?}");
    for got in evaluated {
        field_refused(got, "current_pwd", WRONG_PASSWORD);
    }
    let mut wait = 0;
    for got in refused {
        wait = wait.max(too_many_requests(got));
        assert!((1..=3600).contains(&wait), "{wait}");
    }
    // The right one is not compared either, from any session; other users do not wait.
    for token in [&token, &second] {
        too_many_requests(&world.change_password(token, OLD, NEW).await);
    }
    password_set(&world.change_password(&other, OLD, NEW).await, "other");
    world.advance(wait).await;
    password_set(&world.change_password(&token, OLD, NEW).await, "maria");
}

#[tokio::test]
async fn a_day_has_its_own_rate_limit_and_a_reset_is_always_possible() {
    let world = World::new().await;
    let (token, id) = world.new_user("maria").await;
    for _ in 0..2 {
        for _ in 0..5 {
            field_refused(&world.change_password(&token, NEW, OLD).await, "current_pwd", WRONG_PASSWORD);
        }
        let wait = too_many_requests(&world.change_password(&token, OLD, NEW).await);
        assert!((1..=86_400).contains(&wait), "{wait}");
        world.advance(3600).await;
    }
    // Ten in two hours: the hourly limit allows another, the daily limit does not.
    let wait = too_many_requests(&world.change_password(&token, OLD, NEW).await);
    assert!(wait > 3600, "{wait}");
    // An attacker with an open session cannot keep the owner from setting a new password.
    let link = world.reset_link("maria", "maria@example.org").await;
    password_set(&world.reset_password(&link, NEW).await, "maria");
    era_refused(&world.change_password(&token, OLD, NEW).await, 401, ERA_UNAUTHORIZED);
    world.advance(wait).await;
    assert!(world.password_works(&id, NEW).await);
}

#[tokio::test]
async fn one_of_parallel_changes_succeeds() {
    let world = World::new().await;
    let (token, id) = world.new_user("maria").await;
    let changes =
        join_all((0..8).map(async |n| world.change_password(&token, OLD, &format!("new-password-{n}")).await)).await;
    let winners: Vec<_> = (0..8).filter(|n| changes[*n].status == 200).collect();
    assert_eq!(winners.len(), 1, "{changes:?}");
    for got in &changes {
        match got.status {
            200 => password_set(got, "maria"),
            401 => era_refused(got, 401, ERA_UNAUTHORIZED),
            412 => field_refused(got, "current_pwd", WRONG_PASSWORD),
            _ => assert!(too_many_requests(got) > 0),
        }
    }
    change_notices_sent(&world, "maria@example.org", 1).await;
    world.advance(3600).await;
    assert!(world.password_works(&id, &format!("new-password-{}", winners[0])).await);
}

#[tokio::test]
async fn a_password_is_compared_to_its_last_character() {
    let world = World::new().await;
    let (token, id) = world.new_user("maria").await;
    let long: String = "aB3-".repeat(32);
    password_set(&world.change_password(&token, OLD, &long).await, "maria");
    for at in [64, 71, 72, 127] {
        let mut wrong = long.clone();
        wrong.replace_range(at..=at, "!");
        assert!(!world.password_works(&id, &wrong).await, "character {at}");
    }
    world.advance(3600).await;
    assert!(!world.password_works(&id, &long[..64]).await && !world.password_works(&id, &long[..127]).await);
    let token = world.create_token(json!({ "user_id": id, "scopes": ["api"] })).await;
    let longer = world.change_password(&token, &format!("{long}a"), NEW).await;
    field_refused(&longer, "current_pwd", WRONG_PASSWORD);
    assert!(world.password_works(&id, &long).await);
}

#[tokio::test]
async fn passwords_are_compared_in_unicode_normalized_form() {
    let world = World::new().await;
    let policy = json!({ "alphabet": null, "min": 8, "max": 128, "refuse_common": true });
    let command = json!({ "command": "set_domain", "domain": "any.example", "password": policy });
    assert_eq!(world.run_command(command).await["domain"], "any.example");
    let (token, id) = world.new_user_in("any.example", "maria", false).await;
    let (composed, decomposed) = ("семёрка й", "семе\u{308}рка и\u{306}");
    let set = world.change_password(&token, OLD, decomposed).await;
    assert_eq!(set.status, 200, "{set:?}");
    assert!(!world.password_works(&id, "Семёрка й").await, "case is not folded");
    assert!(!world.password_works(&id, "семерка и").await, "a mark is part of its letter");
    assert!(world.password_works(&id, composed).await);
    assert!(world.password_works(&id, decomposed).await);
    world.advance(3600).await;
    let token = world.create_token(json!({ "user_id": id, "scopes": ["api"] })).await;
    let got = world.change_password(&token, composed, "и\u{306}и\u{306}и\u{306}и\u{306}").await;
    field_refused(&got, "new_pwd", "new_pwd is too short. Expected: at least 8 characters");
    let long = "й🔑".repeat(64);
    assert_eq!(world.change_password(&token, composed, &long).await.status, 200, "128 of any characters");
    assert!(!world.password_works(&id, &format!("{}й", &long[..long.len() - "🔑".len()])).await);
    assert!(world.password_works(&id, &long).await);
}

#[tokio::test]
async fn a_change_is_kept_and_its_notice_retried_if_the_mail_fails() {
    let world = World::new().await;
    for (login, ses_is_up) in [("maria", true), ("marek", false)] {
        let (token, id) = world.new_user(login).await;
        if !ses_is_up {
            world.inject(json!({ "service": "ses", "kind": "throttle", "times": 3 })).await;
        }
        password_set(&world.change_password(&token, OLD, NEW).await, login);
        change_notices_sent(&world, &format!("{login}@example.org"), 1).await;
        assert!(world.password_works(&id, NEW).await);
    }
}

#[tokio::test]
async fn reset_fields_with_a_token_request_a_reset() {
    let world = World::new().await;
    let (token, _) = world.new_user("maria").await;
    for token in [token.as_str(), "nonsense"] {
        let ask = world.request_reset("maria").bearer(token);
        ask.send().await.is(200, CHECK_MAIL);
        let link = world.link_to("maria@example.org").await;
        assert_eq!(world.reset_password(&link, NEW).await.status, 200);
        world.advance(121).await;
    }
}

/// `Reply-To` is the domain's address, except for notices, which expect no reply.
#[tokio::test]
async fn a_notice_has_no_reply_to_address() {
    let world = World::new().await;
    let command = json!({
        "command": "set_domain", "domain": "any.example", "sender": "hello@pbx.era-platform.ru", "sender_name": "Any",
        "reply_to": "help@any.example",
    });
    assert_eq!(world.run_command(command).await["reply_to"], "help@any.example");
    let (token, _) = world.new_user_in("any.example", "maria", false).await;
    let ask = world.post(RESET).json(&json!({ "key": "maria", "domain": "any.example" }));
    ask.with_new_address().send().await.ok(200);
    world.change_password(&token, OLD, NEW).await.ok(200);
    world.deliver_streams().await;
    let mails = world.get("/_local/messages?full=true").send_local().await;
    let replies: Vec<_> = mails.as_array().expect("mails").iter().map(|mail| &mail["reply_to"]).collect();
    assert_eq!(replies, [&json!("help@any.example"), &Value::Null]);
    for mail in mails.as_array().expect("mails") {
        assert_eq!(mail["from"], r#""Any" <hello@pbx.era-platform.ru>"#);
    }
}
