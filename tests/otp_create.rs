//! Another code for a login (docs/contract.md, Second factors and tokens, create_otp; docs/security.md R13, R14, R26).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    factors::person_awaiting_phone,
    login::{other_than, token_in},
    mithril::{
        USERS, data, fields_refused, forbidden, refused, token_expired, token_invalid, token_invalid_type,
        too_many_sends, user_blocked, wrong_code,
    },
    people::{PHONE, Person, UNKNOWN_ID},
    words::{INVALID, NO_AUTHORIZATION, NO_FACTOR_DATA, SMS_UNSENT, UNEXPECTED_FIELD},
    world::World,
};

#[tokio::test]
async fn a_new_code_replaces_the_earlier_one() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, first) = world.begin_login(&demo).await;
    let got = world.resend_code(&demo, &token).await;
    let user = data(&got, 200);
    let expected = json!({
        "id": demo.id, "email": demo.email, "domain": world.id("/domain"), "login": "demo", "name": "Demo User",
        "is_admin": false, "is_blocked": false, "block_reason": null, "settings": {},
        "inserted_at": user["inserted_at"], "updated_at": user["updated_at"],
    });
    assert_eq!(user, expected);
    let second = world.code_to(PHONE).await;
    assert_eq!(world.sms_to(PHONE).await.len(), 2);
    if first != second {
        wrong_code(&world.submit_code(&token, &first).await);
    }
    world.submit_code(&token, &second).await.ok(201);
    // The token is valid as long as the login.
    token_expired(&world.resend_code(&demo, &token).await);
}

#[tokio::test]
async fn only_the_users_own_login_gets_another_code() {
    let world = World::new().await;
    let (demo, maria) = (world.demo(), world.create_person_with("maria", "+380881234531").await);
    let (token, _) = world.begin_login(&demo).await;
    let (theirs, _) = world.begin_login(&maria).await;
    let before = world.messages().await.len();
    forbidden(&world.resend_code(&maria, &token).await);
    forbidden(&world.resend_code(&demo, &theirs).await);
    for id in [UNKNOWN_ID, &maria.id.to_uppercase(), "me", "%20", "%EF%BC%91"] {
        let path = format!("{USERS}/{id}/actions/create_otp");
        forbidden(&world.request("PATCH", &path).bearer(&token).send().await);
    }
    for access in [world.user(), world.admin()] {
        token_invalid_type(&world.resend_code(&demo, access).await);
    }
    token_invalid(&world.resend_code(&demo, "no token of ours").await);
    token_invalid_type(&world.resend_code(&demo, world.id("/passcode_token")).await);
    let path = demo.action_path("create_otp");
    let header = NO_AUTHORIZATION;
    refused(&world.request("PATCH", &path).send().await, 401, "access_denied", header);
    let ask = |body: Value| world.request("PATCH", &path).json(&body).send();
    refused(&ask(json!({ "user_id": demo.id })).await, 401, "access_denied", header);
    let unknown = ["$.otp", "additionalProperties", UNEXPECTED_FIELD];
    fields_refused(&ask(json!({ "token": token, "otp": "1" })).await, &[unknown]);
    let other = ["$.user_id", "inclusion", INVALID];
    fields_refused(&ask(json!({ "token": token, "user_id": maria.id })).await, &[other]);
    fields_refused(&ask(json!({ "token": 7 })).await, &[["$.token", "cast", INVALID]]);
    forbidden(&ask(json!({ "token": theirs })).await);
    token_invalid_type(&ask(json!({ "token": world.user() })).await);
    token_invalid(&ask(json!({ "token": "no token of ours" })).await);
    world.run_command(json!({ "command": "block_user", "user_id": demo.id })).await;
    user_blocked(&world.resend_code(&demo, &token).await);
    // A factor without a phone, and no factor.
    let no_data = NO_FACTOR_DATA;
    let (empty, login) = person_awaiting_phone(&world, "empty").await;
    refused(&world.resend_code(&empty, &login).await, 409, "request_conflict", no_data);
    assert_eq!(world.messages().await.len(), before, "nothing was sent");
}

#[tokio::test]
async fn the_token_may_be_in_the_body() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, _) = world.begin_login(&demo).await;
    let ask = |body: Value| world.request("PATCH", &demo.action_path("create_otp")).json(&body);
    data(&ask(json!({ "token": token, "user_id": demo.id })).send().await, 200);
    // With its own key, a retry sends no second message.
    let keyed = |body: Value| ask(body).header("idempotency-key", "one").send();
    let first = keyed(json!({ "token": token })).await;
    data(&first, 200);
    assert_eq!(keyed(json!({ "token": token })).await.body, first.body);
    assert_eq!(world.sms_to(PHONE).await.len(), 3);
    // The header takes precedence.
    let body = json!({ "token": "no token of ours" });
    too_many_sends(&ask(body.clone()).bearer(&token).send().await, 60);
    token_invalid(&ask(body).send().await);
    world.submit_code(&token, &world.code_to(PHONE).await).await.ok(201);
}

#[tokio::test]
async fn all_routes_that_send_a_code_share_a_rate_limit() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, _) = world.begin_login(&demo).await;
    data(&world.resend_code(&demo, &token).await, 200);
    let token = token_in(&world.refresh_login(&token).await);
    let wait = too_many_sends(&world.resend_code(&demo, &token).await, 60);
    too_many_sends(&world.refresh_login(&token).await, 60);
    too_many_sends(&world.sign_in(&demo, &demo.password).await, 60);
    // The last code stays valid, and so does the token.
    assert_eq!(world.sms_to(PHONE).await.len(), 3);
    world.advance(wait).await;
    data(&world.resend_code(&demo, &token).await, 200);
    let code = world.code_to(PHONE).await;
    world.submit_code(&token, &code).await.ok(201);
}

#[tokio::test]
async fn another_code_does_not_reset_failures() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, mut code) = world.begin_login(&demo).await;
    for n in 0..4 {
        wrong_code(&world.submit_code(&token, &other_than(&code)).await);
        if n < 3 {
            world.advance(30).await;
            data(&world.resend_code(&demo, &token).await, 200);
            code = world.code_to(PHONE).await;
        }
    }
    user_blocked(&world.submit_code(&token, &code).await);
    user_blocked(&world.resend_code(&demo, &token).await);
}

#[tokio::test]
async fn a_repeated_request_sends_no_second_message() {
    let world = World::new().await;
    let (demo, maria) = (world.demo(), world.create_person_with("maria", "+380881234531").await);
    let (token, _) = world.begin_login(&demo).await;
    let ask = |person: &Person, key: &str| {
        let ask = world.request("PATCH", &person.action_path("create_otp")).bearer(&token);
        ask.header("idempotency-key", key).send()
    };
    let first = ask(&demo, "one").await;
    for _ in 0..2 {
        assert_eq!(ask(&demo, "one").await.body, first.body);
    }
    assert_eq!(world.sms_to(PHONE).await.len(), 2);
    // The path is part of the call.
    forbidden(&ask(&maria, "one").await);
    data(&ask(&demo, "two").await, 200);
    assert_eq!(world.sms_to(PHONE).await.len(), 3);
}

#[tokio::test]
async fn one_of_parallel_codes_is_valid() {
    let world = World::with(&[
        ("OtpSendCounterMax", "10"),
        ("OtpMaxAttempts", "10"),
        ("UserOtpErrorMax", "50"),
    ])
    .await;
    let demo = world.demo();
    for _ in 0..3 {
        let (token, _) = world.begin_login(&demo).await;
        let earlier = world.sms_to(PHONE).await.len();
        let got = join_all((0..8).map(|_| world.resend_code(&demo, &token))).await;
        assert!(got.iter().all(|got| got.status == 200), "{got:?}");
        let texts = world.sms_to(PHONE).await;
        let codes = texts[earlier..].iter().map(|text| text.rsplit_once('#').expect("a code").1);
        let mut good = 0;
        for code in codes {
            good += usize::from(world.submit_code(&token, code).await.status == 201);
        }
        assert_eq!((texts.len() - earlier, good), (8, 1));
        // The day's guesses and the hour's messages no longer count.
        world.advance(86_400).await;
    }
}

#[tokio::test]
async fn a_retry_sends_a_message_that_was_not_sent() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, first) = world.begin_login(&demo).await;
    for kind in ["error", "opted_out", "drop_response"] {
        let sent = world.sms_to(PHONE).await.len();
        world.inject(json!({ "service": "sns", "operation": null, "kind": kind, "times": 99 })).await;
        let got = world.resend_code(&demo, &token).await;
        refused(&got, 503, "internal_error", SMS_UNSENT);
        assert!(got.header("retry-after").is_some(), "{got:?}");
        world.clear_faults().await;
        if kind == "drop_response" {
            assert_eq!(world.sms_to(PHONE).await.len(), sent + 1, "it arrived, and the response was lost");
        }
    }
    // The first code is canceled; the rate limit is unchanged.
    wrong_code(&world.submit_code(&token, &first).await);
    for _ in 0..2 {
        data(&world.resend_code(&demo, &token).await, 200);
    }
    let code = world.code_to(PHONE).await;
    world.submit_code(&token, &code).await.ok(201);
    assert_eq!(world.rows("FactorsTable").await[0]["value"]["S"], Value::from(PHONE));
}
