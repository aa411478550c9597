//! Validation of a password reset's fields, and of its password: docs/contract.md, Registration and password reset.

use serde_json::json;

use crate::support::{
    era::{CHECK_MAIL, era_refused, field_refused, password_set, password_set_body},
    password::{NEW, RESET, UNKNOWN_REQUEST},
    people::DOMAIN,
    words::{
        DOMAIN_NOT_STRING, DOMAIN_REQUIRED, IS_ADMIN_UNEXPECTED, LOGIN_UNEXPECTED, MALFORMED, NO_REQUEST,
        PASSWORD_COMMON, PASSWORD_DIGITS, PASSWORD_NOT_STRING, PASSWORD_OVER_64, PASSWORD_OVER_128, PASSWORD_REQUIRED,
        PASSWORD_SYMBOLS, PASSWORD_TOO_SHORT, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE,
    },
    world::World,
};

#[tokio::test]
async fn a_reset_request_is_validated_strictly() {
    let world = World::new().await;
    world.new_user("maria").await;
    let long = "a".repeat(65);
    let longer = format!("{}@example.org", "a".repeat(300));
    for (body, field, message) in [
        (json!({}), "key", "key is required"),
        (json!({ "key": "maria" }), "domain", DOMAIN_REQUIRED),
        (json!({ "domain": DOMAIN }), "key", "key is required"),
        (json!({ "key": null, "domain": DOMAIN }), "key", "key is required"),
        (json!({ "key": "", "domain": DOMAIN }), "key", "key is required"),
        (json!({ "key": "maria", "domain": null }), "domain", DOMAIN_REQUIRED),
        (json!({ "key": "maria", "domain": "" }), "domain", DOMAIN_REQUIRED),
        (json!({ "key": 1, "domain": DOMAIN }), "key", "key must be a string"),
        (json!({ "key": ["maria"], "domain": DOMAIN }), "key", "key must be a string"),
        (json!({ "key": { "S": "maria" }, "domain": DOMAIN }), "key", "key must be a string"),
        (json!({ "key": "maria", "domain": true }), "domain", DOMAIN_NOT_STRING),
        (json!({ "key": "ma ria", "domain": DOMAIN }), "key", "key contains invalid symbols"),
        (json!({ "key": "mаria", "domain": DOMAIN }), "key", "key mixes letters of several scripts"),
        (json!({ "key": long, "domain": DOMAIN }), "key", "key is too long"),
        (json!({ "key": longer, "domain": DOMAIN }), "key", "key is too long"),
        (json!({ "key": "@", "domain": DOMAIN }), "key", "key contains invalid symbols"),
        (json!({ "key": "a@b@c", "domain": DOMAIN }), "key", "key contains invalid symbols"),
        (json!({ "key": "a@b.c,d@e.f", "domain": DOMAIN }), "key", "key contains invalid symbols"),
        (json!({ "key": "a@b.c\r\nBcc: d@e.f", "domain": DOMAIN }), "key", "key contains invalid symbols"),
        (json!({ "key": "мария@example.org", "domain": DOMAIN }), "key", "key contains invalid symbols"),
        (json!({ "key": "maria", "domain": "-" }), "domain", "domain contains invalid symbols"),
        (json!({ "key": "maria", "domain": "a b" }), "domain", "domain contains invalid symbols"),
        (json!({ "key": "maria", "domain": DOMAIN, "login": "maria" }), "login", LOGIN_UNEXPECTED),
        (json!({ "key": "maria", "domain": DOMAIN, "email": null }), "email", "email is not expected"),
    ] {
        let got = world.post(RESET).json(&body).send().await;
        assert_eq!(got.status, 412, "{body}: {got:?}");
        field_refused(&got, field, message);
    }
    let link = world.reset_link("maria", "maria@example.org").await;
    for (body, field, message) in [
        (json!({}), "pwd", PASSWORD_REQUIRED),
        (json!({ "pwd": null }), "pwd", PASSWORD_REQUIRED),
        (json!({ "pwd": "" }), "pwd", PASSWORD_REQUIRED),
        (json!({ "pwd": 12_345_678 }), "pwd", PASSWORD_NOT_STRING),
        (json!({ "pwd": NEW, "login": "demo" }), "login", LOGIN_UNEXPECTED),
        (json!({ "pwd": NEW, "is_admin": true }), "is_admin", IS_ADMIN_UNEXPECTED),
    ] {
        for id in [link.as_str(), UNKNOWN_REQUEST] {
            let got = world.request("PATCH", &format!("{RESET}/{id}")).json(&body).send().await;
            field_refused(&got, field, message);
        }
    }
    assert!(world.rows("PasswordResetRequestsTable").await.len() == 1, "the link is still good");
    // Refused requests have not used up the rate limit: this one comes from the same source.
    let ask = world.post(RESET).json(&json!({ "key": "demo", "domain": DOMAIN }));
    ask.send().await.is(200, CHECK_MAIL);
    password_set(&world.reset_password(&link, NEW).await, "maria");
}

#[tokio::test]
async fn a_body_other_than_a_json_object_is_refused() {
    let world = World::new().await;
    world.new_user("maria").await;
    let link = world.reset_link("maria", "maria@example.org").await;
    let patch = format!("{RESET}/{link}");
    let large = format!(r#"{{"pwd":"{}"}}"#, "x".repeat(16 * 1024));
    for (method, path) in [("POST", RESET), ("PATCH", patch.as_str())] {
        let send = async |kind: &str, body: &str| world.request(method, path).body(kind, body).send().await;
        for body in [
            "",
            "{",
            "[]",
            "null",
            r#""pwd""#,
            r#"{"pwd":"ew!hIb3V","pwd":"correct-horse"}"#,
            "{} x",
        ] {
            era_refused(&send("application/json", body).await, 400, MALFORMED);
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
            era_refused(&send(kind, r#"{"pwd":"ew!hIb3V"}"#).await, 415, UNSUPPORTED_MEDIA_TYPE);
        }
        era_refused(&send("application/json", &large).await, 413, TOO_LARGE);
    }
    password_set(&world.reset_password(&link, NEW).await, "maria");
}

#[tokio::test]
async fn a_weak_password_does_not_consume_the_link() {
    let world = World::new().await;
    let (_, id) = world.new_user("maria").await;
    let before = world.user_row(&id).await;
    let link = world.reset_link("maria", "maria@example.org").await;
    for (pwd, message) in [
        ("ew!hIb3", PASSWORD_TOO_SHORT),
        (&"xY0!".repeat(33), PASSWORD_OVER_128),
        ("ew!hIb3 V", PASSWORD_SYMBOLS),
        ("пароль-пароль", PASSWORD_SYMBOLS),
    ] {
        field_refused(&world.reset_password(&link, pwd).await, "pwd", message);
    }
    for common in ["password", "PassWord"] {
        // Not via `reset_password`: the word is in the log's own vocabulary.
        let ask = world.request("PATCH", &format!("{RESET}/{link}")).json(&json!({ "pwd": common }));
        field_refused(&ask.send().await, "pwd", PASSWORD_COMMON);
    }
    assert_eq!(world.user_row(&id).await, before);
    // The policy's message does not reveal whether a link is valid.
    era_refused(&world.reset_password(UNKNOWN_REQUEST, "short").await, 404, NO_REQUEST);
    password_set(&world.reset_password(&link, &"xY0!".repeat(32)).await, "maria");
}

#[tokio::test]
async fn the_domain_determines_the_password_policy() {
    let world = World::new().await;
    let policy = json!({ "alphabet": "0-9", "min": 12, "max": 64, "refuse_common": false });
    let command = json!({ "command": "set_domain", "domain": "digits.example", "password": policy });
    assert_eq!(world.run_command(command).await["domain"], "digits.example");
    let (_, id) = world.new_user_in("digits.example", "maria", false).await;
    let ask = world.post(RESET).with_new_address();
    let ask = ask.json(&json!({ "key": "maria", "domain": "digits.example" }));
    ask.send().await.is(200, CHECK_MAIL);
    let link = world.link_to("maria@example.org").await;
    for (pwd, message) in [
        (NEW, PASSWORD_DIGITS),
        ("31415926535", "pwd is too short. Expected: at least 12 characters"),
        (&"1".repeat(65), PASSWORD_OVER_64),
    ] {
        field_refused(&world.reset_password(&link, pwd).await, "pwd", message);
    }
    world
        .reset_password(&link, "111111111111")
        .await
        .is(200, &password_set_body("digits.example", "maria"));
    assert!(world.password_works(&id, "111111111111").await);
}
