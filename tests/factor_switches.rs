//! Resetting, disabling and enabling second factors (docs/contract.md, Second factors and tokens; docs/security.md R38,
//! R41, R42).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    login::token_in,
    mithril::{data, fields_refused, not_found, refused, scope_too_small, token_expired, wrong_code},
    people::Person,
    requests::Response,
    words::{FACTOR_NOT_SET, NO_FACTOR, NO_FACTOR_DATA, UNEXPECTED_FIELD},
    world::World,
};

#[track_caller]
fn conflict(got: &Response, words: &str) {
    refused(got, 409, "request_conflict", words);
}

#[tokio::test]
async fn a_login_follows_the_last_switch_of_the_factor() {
    let world = World::new().await;
    let demo = world.demo();
    let before = world.factor_of(&demo).await;
    assert_eq!(world.next_step(&demo).await, ("REQUEST_OTP".into(), 1));
    for (action, is_active, again, next) in [
        ("disable", false, "user authentication factor already disabled", ("REQUEST_APPS", 0)),
        ("enable", true, "user authentication factor already enabled", ("REQUEST_OTP", 1)),
    ] {
        world.advance(60).await;
        let done = data(&world.switch_factor(&demo, action, world.admin()).await, 200);
        let mut expected = before.clone();
        expected["is_active"] = is_active.into();
        expected["updated_at"] = done["updated_at"].clone();
        assert_eq!((&done, &world.factor_of(&demo).await), (&expected, &expected), "{action}");
        assert_ne!(done["updated_at"], before["updated_at"]);
        conflict(&world.switch_factor(&demo, action, world.admin()).await, again);
        assert_eq!(world.next_step(&demo).await, (next.0.into(), next.1), "{action}");
    }
    // A disabled factor cannot be reset, and keeps its phone.
    data(&world.switch_factor(&demo, "disable", world.admin()).await, 200);
    let disabled = world.factor_of(&demo).await;
    not_found(&world.switch_factor(&demo, "reset", world.admin()).await);
    assert_eq!(world.factor_of(&demo).await, disabled);
    assert_eq!(world.next_step(&demo).await, ("REQUEST_APPS".into(), 0));
    data(&world.switch_factor(&demo, "enable", world.admin()).await, 200);
    // A reset is idempotent.
    for _ in 0..2 {
        let done = data(&world.switch_factor(&demo, "reset", world.admin()).await, 200);
        let mut expected = before.clone();
        expected["factor"] = Value::Null;
        expected["updated_at"] = done["updated_at"].clone();
        assert_eq!(done, expected);
    }
    assert_eq!(world.next_step(&demo).await, ("REQUEST_FACTOR".into(), 0));
    data(&world.switch_factor(&demo, "disable", world.admin()).await, 200);
    not_found(&world.switch_factor(&demo, "reset", world.admin()).await);
    assert_eq!(world.next_step(&demo).await, ("REQUEST_APPS".into(), 0));
    // Enabled again without a phone: the next login requests one.
    data(&world.switch_factor(&demo, "enable", world.admin()).await, 200);
    assert_eq!(world.next_step(&demo).await, ("REQUEST_FACTOR".into(), 0));
}

#[tokio::test]
async fn the_owner_is_notified_by_mail() {
    let world = World::new().await;
    let demo = world.demo();
    for (action, subject) in [("reset", "phone number"), ("disable", "turned off")] {
        data(&world.switch_factor(&demo, action, world.admin()).await, 200);
        let mails = world.mails_to(&demo.email).await;
        let mail = mails.last().expect("a notice").to_string();
        assert!(!mail.contains("://") && !mail.contains("<a "), "R41: no link in {mail}");
        assert!(mail.contains(subject), "{action}: {mail}");
    }
    data(&world.switch_factor(&demo, "enable", world.admin()).await, 200);
    conflict(
        &world.switch_factor(&demo, "enable", world.admin()).await,
        "user authentication factor already enabled",
    );
    assert_eq!(world.messages().await.len(), 2, "one of each, and none of what made the account safer");
    // A failure to send the notice undoes nothing.
    world.inject(json!({ "service": "ses", "operation": null, "kind": "error", "times": 99 })).await;
    assert_eq!(data(&world.switch_factor(&demo, "disable", world.admin()).await, 200)["is_active"], false);
    assert_eq!(world.factor_of(&demo).await["is_active"], false);
}

#[tokio::test]
async fn a_pending_login_is_affected_by_a_switch() {
    let world = World::new().await;
    let demo = world.demo();
    let no_factor = NO_FACTOR;
    let no_data = NO_FACTOR_DATA;
    let (token, code) = world.begin_login(&demo).await;
    // Changes are distinguished by their second.
    world.advance(1).await;
    data(&world.switch_factor(&demo, "disable", world.admin()).await, 200);
    conflict(&world.submit_code(&token, &code).await, no_factor);
    conflict(&world.refresh_login(&token).await, no_factor);
    conflict(&world.resend_code(&demo, &token).await, no_data);
    not_found(&world.init_factor(&token, "+380881234588").await);
    data(&world.switch_factor(&demo, "enable", world.admin()).await, 200);
    // The code belonged to the factor before the change.
    wrong_code(&world.submit_code(&token, &code).await);
    data(&world.switch_factor(&demo, "reset", world.admin()).await, 200);
    conflict(&world.submit_code(&token, &code).await, FACTOR_NOT_SET);
    conflict(&world.refresh_login(&token).await, FACTOR_NOT_SET);
    conflict(&world.resend_code(&demo, &token).await, no_data);
    let sent = world.sms_to("+380881234530").await;
    assert_eq!(sent.len(), 1);
    // Setting a new phone revokes logins that began with the old one.
    let got = world.init_factor(&token, "+380881234588").await;
    let code_of_new = world.code_to("+380881234588").await;
    world.approve_factor(&token_in(&got), &code_of_new).await.ok(201);
    token_expired(&world.submit_code(&token, &code).await);
}

#[tokio::test]
async fn one_of_parallel_switches_succeeds() {
    let world = World::new().await;
    let demo = world.demo();
    for round in 0..4 {
        let action = if round % 2 == 0 { "disable" } else { "enable" };
        let got = join_all((0..16).map(|_| world.switch_factor(&demo, action, world.admin()))).await;
        assert_eq!(got.iter().filter(|got| got.status == 200).count(), 1, "{action}");
        assert!(got.iter().all(|got| matches!(got.status, 200 | 409)), "{got:?}");
    }
    assert_eq!(world.messages().await.len(), 2, "as many notices as there is to tell");
}

#[tokio::test]
async fn a_switch_succeeds_despite_a_lost_response() {
    let world = World::new().await;
    let demo = world.demo();
    for action in ["disable", "enable", "reset"] {
        let lost =
            json!({ "service": "dynamodb", "operation": "TransactWriteItems", "kind": "drop_response", "times": 1 });
        world.inject(lost).await;
        data(&world.switch_factor(&demo, action, world.admin()).await, 200);
    }
    let factor = world.factor_of(&demo).await;
    assert_eq!((&factor["factor"], &factor["is_active"]), (&Value::Null, &json!(true)));
}

#[tokio::test]
async fn a_switch_requires_its_scope_its_factor_and_an_empty_body() {
    let world = World::new().await;
    let (demo, maria) = (world.demo(), world.create_person("maria").await);
    let admin = world.demo_admin().id;
    for (action, scope, other) in [
        ("reset", "authentication_factor:reset", "authentication_factor:write"),
        ("disable", "authentication_factor:write", "authentication_factor:reset"),
        ("enable", "authentication_factor:write", "authentication_factor:read"),
    ] {
        let token = async |scope: &str| world.create_token(json!({ "user_id": admin, "scopes": [scope] })).await;
        scope_too_small(&world.switch_factor(&demo, action, &token(other).await).await, scope);
        data(&world.switch_factor(&demo, action, &token(scope).await).await, 200);
        // An empty body is accepted; a non-empty one is not.
        let id = world.factor_of(&demo).await["id"].as_str().expect("an id").to_owned();
        let patch = |person: &Person| {
            let path = format!("{}/{id}/actions/{action}", person.factors_path());
            world.request("PATCH", &path).bearer(world.admin())
        };
        let got = patch(&demo).json(&json!({ "factor": "+380881234599" })).send().await;
        let unknown = ["$.factor", "additionalProperties", UNEXPECTED_FIELD];
        fields_refused(&got, &[unknown]);
        assert_eq!(patch(&demo).body("application/json", "[]").send().await.status, 400);
        assert_eq!(patch(&demo).body("text/plain", "{}").send().await.status, 415);
        let again = if action == "reset" { 200 } else { 409 };
        assert_eq!(patch(&demo).json(&json!({})).send().await.status, again);
        // A factor is not found under another user.
        not_found(&patch(&maria).send().await);
    }
}
