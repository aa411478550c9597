//! Answers when the store is down, slow, throttling, or loses an answer: in the dialect, in time, and with the state
//! before or after, never between (security.md R17, R63, R64).

use serde_json::{Value, json};

use crate::support::{
    clock::eventually,
    faults::in_some_round,
    passcode::{CLIENT, PURPOSE, SHORT, USER},
    requests::Response,
    support_pin::OWN_PIN,
    words::{CREATE_FAILED, ERA_UNAVAILABLE_BODY, REVOKE_FAILED, SERVICE_UNAVAILABLE_ERROR, SHOW_FAILED, UNAVAILABLE},
    world::World,
};

fn dynamodb(kind: &str, skip: u32, times: u32) -> Value {
    json!({ "service": "dynamodb", "operation": null, "kind": kind, "skip": skip, "times": times })
}

/// A fault that executes the next call of that operation and loses its answer.
fn lose(operation: &str) -> Value {
    json!({ "service": "dynamodb", "operation": operation, "kind": "drop_response", "skip": 0, "times": 1 })
}

#[track_caller]
fn spring(got: &Response, status: u16) {
    assert_eq!(got.ok(status)["status"], status);
}

/// Each route of the support PIN under a fault from its `skip`th call on, until it is cleared.
async fn support_pin_says(world: &World, kind: &str, skip: u32) {
    let of = format!("/api/v4/users/{}/support_pin", world.id("/user/user_id"));
    for (method, path, token, status, body) in [
        ("POST", OWN_PIN.to_owned(), world.user(), 422, CREATE_FAILED),
        ("GET", OWN_PIN.to_owned(), world.user(), 503, UNAVAILABLE),
        ("GET", of.clone(), world.admin(), 422, SHOW_FAILED),
        ("POST", format!("{of}/revoke"), world.admin(), 422, REVOKE_FAILED),
    ] {
        world.inject(dynamodb(kind, skip, 1000)).await;
        world.request(method, &path).private_token(token).send().await.is(status, body);
        world.clear_faults().await;
    }
}

#[tokio::test]
async fn a_failing_or_throttling_store_is_reported_in_the_dialect() {
    let world = World::new().await;
    let created = world.post(OWN_PIN).private_token(world.user()).send().await;
    for kind in ["error", "throttle"] {
        for skip in [0, 1] {
            support_pin_says(&world, kind, skip).await;
        }
    }
    world.get(OWN_PIN).private_token(world.user()).send().await.is(200, &created.body);
}

#[tokio::test]
async fn a_hanging_store_is_reported_before_the_timeout() {
    let world = World::new().await;
    let created = world.post(OWN_PIN).private_token(world.user()).send().await;
    support_pin_says(&world, "hang", 1).await;
    for invocation in world.invocations().await {
        if invocation["status"] == 422 || invocation["status"] == 503 {
            let ms = invocation["ms"].as_f64().expect("a number");
            assert!(ms < 10_000.0, "the function's time-out is 10 s: {invocation}");
        }
    }
    world.get(OWN_PIN).private_token(world.user()).send().await.is(200, &created.body);
}

#[tokio::test]
async fn passcode_routes_answer_503_and_a_retry_works() {
    let world = World::new().await;
    let issued = world.retrieve(USER, PURPOSE).await;
    let query = [("purpose", PURPOSE), ("username", USER), CLIENT];
    for kind in ["error", "throttle"] {
        for skip in [0, 1] {
            for ask in [
                world.get("/passcode/retrieve").query(&query).bearer(world.passcode_token()),
                world.consume(&issued.token, USER, PURPOSE),
                world.status(&issued.id),
                world.invalidate(&issued.id),
            ] {
                world.inject(dynamodb(kind, skip, 1000)).await;
                spring(&ask.send().await, 503);
                world.clear_faults().await;
            }
        }
    }
    assert_eq!(world.rows("PasscodesTable").await.len(), 1, "nothing was written");
    world.is_valid(&issued.id, true).await;
    world.consume(&issued.token, USER, PURPOSE).send().await.ok(200);
}

#[tokio::test]
async fn a_transient_fault_is_hidden_by_retries() {
    let world = World::new().await;
    for kind in ["error", "throttle", "hang"] {
        for skip in [0, 1] {
            world.inject(dynamodb(kind, skip, 1)).await;
            world.post(OWN_PIN).private_token(world.user()).send().await.ok(201);
            world.clear_faults().await;
        }
    }
    world.inject(dynamodb("conflict", 0, 1)).await;
    world.post(OWN_PIN).private_token(world.user()).send().await.ok(201);
}

#[tokio::test]
async fn a_success_is_reported_despite_a_lost_response() {
    let world = World::new().await;
    world.inject(lose("PutItem")).await;
    let issued = world.retrieve(USER, PURPOSE).await;
    assert_eq!(world.rows("PasscodesTable").await.len(), 1);

    let (id, consume) = (&issued.id, || world.consume(&issued.token, USER, PURPOSE).send());
    world.inject(lose("UpdateItem")).await;
    consume().await.is(200, &format!(r#"{{"id":"{id}"}}"#));
    spring(&consume().await, 400);

    world.inject(lose("UpdateItem")).await;
    world.invalidate(id).send().await.is(200, &format!(r#"{{"id":"{id}","valid":false}}"#));

    let own = || world.get(OWN_PIN).private_token(world.user()).send();
    let revoke = format!("/api/v4/users/{}/support_pin/revoke", world.id("/user/user_id"));
    let revoke = || world.post(&revoke).private_token(world.admin()).send();
    world.inject(lose("TransactWriteItems")).await;
    let created = world.post(OWN_PIN).private_token(world.user()).send().await;
    created.ok(201);
    own().await.is(200, &created.body);
    world.inject(lose("UpdateItem")).await;
    revoke().await.is(202, "{}");
    revoke().await.ok(404);
}

#[tokio::test]
async fn a_guess_that_cannot_be_counted_is_not_evaluated() {
    let world = World::with(&[("PasscodePurposes", SHORT)]).await;
    let issued = world.retrieve(USER, "PHONE").await;
    let consume = || world.consume(&issued.token, USER, "PHONE").send();
    world.inject(dynamodb("error", 1, 3)).await;
    spring(&consume().await, 503);
    world.clear_faults().await;
    consume().await.ok(200);
}

#[tokio::test]
async fn a_guess_with_a_lost_response_counts_once_and_is_evaluated() {
    let world = World::with(&[("PasscodePurposes", SHORT), ("PasscodeGuessesPerDay", "2")]).await;
    let right = world.retrieve(USER, "PHONE").await.token;
    let wrong = if right == "000000" { "000001" } else { "000000" };
    world.inject(lose("UpdateItem")).await;
    spring(&world.consume(wrong, USER, "PHONE").send().await, 400);
    world.inject(lose("UpdateItem")).await;
    world.consume(&right, USER, "PHONE").send().await.ok(200);
    spring(&world.consume(&right, USER, "PHONE").send().await, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_retry_does_not_restore_a_revoked_pin() {
    in_some_round(async |_| {
        let world = World::new().await;
        world.count_transactions().await;
        let rule = |kind: &str, skip: u32| json!({ "service": "dynamodb", "operation": "TransactWriteItems", "kind": kind, "skip": skip, "times": 1 });
        world.inject(rule("drop_response", 0)).await;
        world.inject(rule("hang", 1)).await;
        let revoke = format!("/api/v4/users/{}/support_pin/revoke", world.id("/user/user_id"));
        // The PIN is stored long before its owner gets the response; an administrator revokes it in between.
        let revoked = async {
            eventually(async || world.transactions_under_way().await == 2).await;
            world.post(&revoke).private_token(world.admin()).send().await.ok(202);
            (world.transactions_under_way().await == 2).then_some(())
        };
        let (created, revoked) = tokio::join!(world.post(OWN_PIN).private_token(world.user()).send(), revoked);
        revoked?;
        created.ok(201);
        world.get(OWN_PIN).private_token(world.user()).send().await.ok(404);
        Some(())
    })
    .await;
}

#[tokio::test]
async fn a_function_without_its_keys_serves_nothing_and_recovers() {
    let world = World::new().await;
    world
        .inject(json!({ "service": "secretsmanager", "operation": null, "kind": "error", "skip": 0, "times": 1000 }))
        .await;
    let got = world.post(OWN_PIN).private_token(world.user()).send_unchecked().await;
    assert!(got.status >= 500, "{got:?}");
    assert!(world.rows("SupportPinsTable").await.is_empty());
    world.clear_faults().await;
    world.post(OWN_PIN).private_token(world.user()).send().await.ok(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_store_is_a_503_in_every_dialect() {
    let world = World::new().await;
    let issued = world.retrieve(USER, PURPOSE).await;
    world.get(OWN_PIN).private_token(world.user()).send().await.ok(404);
    let unavailable = |got: &Response, body: &str| {
        assert_eq!((got.status, got.header("retry-after")), (503, Some("5")), "{got:?}");
        assert!(got.body.contains(body), "{got:?}");
    };
    let uuid = "0bc71658-f3d6-4b81-a418-52f8f610eac8";
    world.inject(dynamodb("hang", 0, 1000)).await;
    let asked = [
        (world.get(OWN_PIN).private_token(world.user()), UNAVAILABLE),
        (
            world.consume(&issued.token, USER, PURPOSE),
            r#","status":503,"error":"Service Unavailable","path":"/passcode/consume"}"#,
        ),
        (
            world
                .request("PATCH", &format!("/rest/v1/iam/self_register_requests/{uuid}"))
                .json(&json!({ "pwd": "ew!hIb3V" })),
            ERA_UNAVAILABLE_BODY,
        ),
        (
            world
                .post("/mithril/api/tokens")
                .json(&json!({ "grant_type": "authorize_2fa_access_token", "token": world.user(), "otp": "123456" })),
            SERVICE_UNAVAILABLE_ERROR,
        ),
    ];
    for (ask, body) in asked {
        unavailable(&ask.send().await, body);
    }
    for invocation in world.invocations().await {
        let ms = invocation["ms"].as_f64().expect("a number");
        assert!(ms < 10_000.0, "the function's time-out is 10 s: {invocation}");
    }
    world.clear_faults().await;
    world.consume(&issued.token, USER, PURPOSE).send().await.ok(200);
}
