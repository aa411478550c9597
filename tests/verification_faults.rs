//! Verifications when a dependency fails, and what is at rest (R65, R77).

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::support::{
    requests::IDEMPOTENCY_KEY,
    verify::{ADDRESS, NUMBER, refused},
    world::World,
};

#[tokio::test]
async fn a_message_that_cannot_be_sent_leaves_nothing_that_blocks_a_retry() {
    let world = World::new().await;
    let app = world.application();
    for (to, service, operation) in [(NUMBER, "sns", "Publish"), (ADDRESS, "ses", "SendEmail")] {
        let fault = json!({ "service": service, "operation": operation, "kind": "error", "skip": 0, "times": 100 });
        world.inject(fault).await;
        for _ in 0..6 {
            let got = app.starting(&world, &[("To", to), ("Channel", "auto")]).send().await;
            refused(&got, 503, 20503, "The message cannot be sent, try again later");
            assert_eq!(got.retry_after(), 5);
        }
        world.clear_faults().await;
        let path = format!("/Verifications/{to}");
        assert_eq!(app.request(&world, "GET", &path).send().await.status, 404);
        let started = app.start(&world, to).await;
        assert_eq!(started["send_code_attempts"].as_array().map(Vec::len), Some(1));
        let code = world.verification_code(to).await;
        assert_eq!(app.check(&world, to, &code).await.ok(200)["valid"], true);
    }
}

#[tokio::test]
async fn a_lost_answer_to_the_right_code_is_still_an_approval() {
    let world = World::new().await;
    let app = world.application();
    for kind in ["drop_response", "throttle", "conflict"] {
        app.start(&world, ADDRESS).await;
        let code = world.verification_code(ADDRESS).await;
        let operation = "TransactWriteItems";
        let fault = json!({ "service": "dynamodb", "operation": operation, "kind": kind, "skip": 0, "times": 1 });
        world.inject(fault).await;
        let got = app.check(&world, ADDRESS, &code).await.ok(200);
        assert_eq!(got["status"], "approved", "{kind}");
        world.clear_faults().await;
    }
}

#[tokio::test]
async fn a_repeated_start_with_its_key_sends_one_message() {
    let world = World::new().await;
    let app = world.application();
    let form = [("To", NUMBER), ("Channel", "sms")];
    let start = || app.starting(&world, &form).header("idempotency-key", IDEMPOTENCY_KEY);
    let first = start().send().await.ok(201);
    assert_eq!(start().send().await.ok(201), first);
    assert_eq!(world.sms_to(NUMBER).await.len(), 1);
    // Without the key it is a resend.
    app.start(&world, NUMBER).await;
    assert_eq!(world.sms_to(NUMBER).await.len(), 2);
}

#[tokio::test]
async fn a_stored_response_is_not_given_to_an_account_that_ended() {
    let world = World::new().await;
    let app = world.create_application("other.example.com").await;
    let form = [("To", ADDRESS), ("Channel", "email")];
    let start = || app.starting(&world, &form).header("idempotency-key", IDEMPOTENCY_KEY);
    start().send().await.ok(201);
    world.run_command(json!({ "command": "end_verify_account", "account_sid": app.account })).await;
    refused(&start().send().await, 401, 20003, "Authenticate");
}

#[tokio::test]
async fn no_code_number_or_address_is_at_rest() {
    let world = World::new().await;
    let app = world
        .application()
        .service_with(&world, &[("CustomCodeEnabled", "true"), ("Psd2Enabled", "true")])
        .await;
    let form = [
        ("To", NUMBER),
        ("Channel", "sms"),
        ("Amount", "19.99 EUR"),
        ("Payee", "The Payee"),
    ];
    app.starting(&world, &form).send().await.ok(201);
    let derived = world.verification_code(NUMBER).await;
    let form = [("To", ADDRESS), ("Channel", "email"), ("CustomCode", "7391846205")];
    app.starting(&world, &form).header("idempotency-key", IDEMPOTENCY_KEY).send().await.ok(201);
    app.check(&world, ADDRESS, "7391846205").await.ok(200);
    // A secret could be stored as bytes, too.
    let rows = world.all_rows().await;
    let bytes = rows.split('"').filter_map(|text| STANDARD.decode(text).ok());
    let bytes: String = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    assert!(bytes.len() > 1000, "no bytes were found");
    let rows = format!("{rows} {bytes}");
    for secret in [
        derived.as_str(),
        "7391846205",
        &NUMBER[1..],
        "maria",
        "19.99",
        "The Payee",
    ] {
        assert!(!rows.contains(secret), "{secret} is at rest");
    }
}

#[tokio::test]
async fn verifications_survive_a_new_key_and_none_its_oldest() {
    let world = World::new().await;
    let app = world.application();
    let started = app.start(&world, ADDRESS).await;
    let code = world.verification_code(ADDRESS).await;
    let rotate = json!({ "command": "rotate_key", "keys": "verify", "new_id": 2, "at_once": true });
    world.run_command(rotate).await;
    world.advance(301).await;
    let again = app.start(&world, ADDRESS).await;
    assert_eq!(again["sid"], started["sid"]);
    assert_eq!(world.verification_code(ADDRESS).await, code);
    let retire = json!({ "command": "retire_key", "keys": "verify", "id": 1, "force": true });
    world.run_command(retire).await;
    world.advance(301).await;
    assert_eq!(app.check(&world, ADDRESS, &code).await.status, 404);
    app.start(&world, ADDRESS).await;
    let code = world.verification_code(ADDRESS).await;
    assert_eq!(app.check(&world, ADDRESS, &code).await.ok(200)["valid"], true);
}
