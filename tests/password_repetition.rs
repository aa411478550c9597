//! `Idempotency-Key` on password resets and changes (docs/contract.md, All routes).

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    clock::eventually,
    era::{CHECK_MAIL, era_refused, era_unavailable, field_refused, password_set},
    password::{NEW, OLD, RESET, change_notices_sent},
    people::DOMAIN,
    requests::{IDEMPOTENCY_KEY, Request, Response},
    words::{
        ERA_UNAUTHORIZED, IN_PROGRESS, MAIL_UNSENT, MALFORMED, NO_REQUEST, PASSWORD_TOO_SHORT, TEMPORARILY_UNAVAILABLE,
        WRONG_PASSWORD,
    },
    world::World,
};

fn keyed(ask: Request<'_>) -> Request<'_> {
    ask.header("idempotency-key", IDEMPOTENCY_KEY)
}

fn change<'a>(world: &'a World, token: &str) -> Request<'a> {
    let body = json!({ "current_pwd": OLD, "new_pwd": NEW });
    keyed(world.post(RESET).bearer(token).json(&body))
}

fn patch<'a>(world: &'a World, link: &str, pwd: &str) -> Request<'a> {
    keyed(world.request("PATCH", &format!("{RESET}/{link}")).json(&json!({ "pwd": pwd })))
}

#[tokio::test]
async fn a_repeated_request_sends_no_second_mail() {
    let world = World::new().await;
    world.new_user("maria").await;
    let count = async || world.mails_to("maria@example.org").await.len();
    for _ in 0..3 {
        keyed(world.request_reset("maria")).send().await.is(200, CHECK_MAIL);
        world.advance(600).await;
        assert_eq!(count().await, 1, "long after the rate limits allow another");
    }
    keyed(world.request_reset("maria@example.org")).send().await.is(200, CHECK_MAIL);
    assert_eq!(count().await, 2, "another body is another call");
    world.advance(86_400).await;
    keyed(world.request_reset("maria")).send().await.is(200, CHECK_MAIL);
    assert_eq!(count().await, 3, "after a day it is forgotten");

    for bad in ["", "schlüssel", "a\tb", &"k".repeat(256)] {
        let got = world.request_reset("maria").header("idempotency-key", bad).send().await;
        era_refused(&got, 400, MALFORMED);
    }
}

#[tokio::test]
async fn parallel_reset_requests_with_one_idempotency_key_are_one() {
    let world = World::new().await;
    world.new_user("maria").await;
    let answers = join_all((0..16).map(|_| keyed(world.request_reset("maria")).send())).await;
    for got in &answers {
        match got.status {
            200 => got.is(200, CHECK_MAIL),
            _ => {
                under_way(got);
            }
        }
    }
    assert!(answers.iter().any(|got| got.status == 200));
    assert_eq!(world.messages().await.len(), 1);
}

/// Asserts that the same call is in progress; returns the seconds to wait.
#[track_caller]
fn under_way(got: &Response) -> u64 {
    era_refused(got, 409, IN_PROGRESS);
    assert!((1..=15).contains(&got.retry_after()), "{got:?}");
    got.retry_after()
}

/// A process that dies leaves its claim behind, and so does one that loses access to the store.
async fn left_behind(world: &World) {
    let down = json!({ "service": "dynamodb", "operation": null, "kind": "error", "skip": 1, "times": 1000 });
    world.inject(down).await;
    let got = keyed(world.request_reset("maria")).send().await;
    era_unavailable(&got);
    world.clear_faults().await;
    assert_eq!(world.rows("RepetitionsTable").await.len(), 1);
}

#[tokio::test]
async fn the_claim_of_a_dead_process_is_taken_over_after_retry_after() {
    let world = World::new().await;
    world.new_user("maria").await;
    left_behind(&world).await;
    let mut wait = under_way(&keyed(world.request_reset("maria")).send().await);
    assert!(wait >= 13, "{wait}");
    world.advance(10).await;
    let left = under_way(&keyed(world.request_reset("maria")).send().await);
    assert!(left + 10 <= wait, "{left} of {wait}");
    wait = left;
    world.advance(wait).await;
    // Of concurrent requests at that moment, one takes the claim over.
    let answers = join_all((0..16).map(|_| keyed(world.request_reset("maria")).send())).await;
    for got in &answers {
        match got.status {
            200 => got.is(200, CHECK_MAIL),
            _ => drop(under_way(got)),
        }
    }
    assert!(answers.iter().any(|got| got.status == 200));
    assert_eq!(world.messages().await.len(), 1);
    keyed(world.request_reset("maria")).send().await.is(200, CHECK_MAIL);
    assert_eq!(world.messages().await.len(), 1);
}

#[tokio::test]
async fn a_late_process_does_not_replace_the_claim_of_another() {
    let world = World::new().await;
    world.new_user("maria").await;
    let hang = json!({ "service": "ses", "operation": null, "kind": "hang", "skip": 0, "times": 1 });
    world.inject(hang).await;
    let late = async { keyed(world.request_reset("maria")).send().await };
    let taken_over = async {
        eventually(async || !world.rows("PasswordResetRequestsTable").await.is_empty()).await;
        world.advance(135).await;
        keyed(world.request_reset("maria")).send().await.is(200, CHECK_MAIL);
    };
    let (late, ()) = tokio::join!(late, taken_over);
    era_refused(&late, 503, MAIL_UNSENT);
    world.advance(3600).await;
    keyed(world.request_reset("maria")).send().await.is(200, CHECK_MAIL);
    assert_eq!(world.messages().await.len(), 1, "the response is still stored");
}

#[tokio::test]
async fn a_claim_with_a_lost_response_does_not_block_the_retry() {
    let world = World::new().await;
    world.new_user("maria").await;
    let lost = json!({ "service": "dynamodb", "operation": "PutItem", "kind": "drop_response", "skip": 0, "times": 3 });
    world.inject(lost).await;
    let got = keyed(world.request_reset("maria")).send().await;
    era_refused(&got, 503, TEMPORARILY_UNAVAILABLE);
    world.clear_faults().await;
    keyed(world.request_reset("maria")).send().await.is(200, CHECK_MAIL);
    assert_eq!(world.messages().await.len(), 1);
}

#[tokio::test]
async fn a_failed_request_can_be_retried_with_its_key() {
    let world = World::new().await;
    let (token, _) = world.new_user("maria").await;
    let down = json!({ "service": "ses", "operation": null, "kind": "error", "skip": 0, "times": 1000 });
    world.inject(down).await;
    let got = keyed(world.request_reset("maria")).send().await;
    era_refused(&got, 503, MAIL_UNSENT);
    world.clear_faults().await;
    keyed(world.request_reset("maria")).send().await.is(200, CHECK_MAIL);
    assert_eq!(world.messages().await.len(), 1);
    // A refusal is not stored either: a repeated wrong guess is another guess.
    for _ in 0..5 {
        let body = json!({ "current_pwd": NEW, "new_pwd": NEW });
        let got = keyed(world.post(RESET).bearer(&token).json(&body)).send().await;
        field_refused(&got, "current_pwd", WRONG_PASSWORD);
    }
    assert_eq!(change(&world, &token).send().await.status, 429);
    world.advance(3600).await;
    password_set(&change(&world, &token).send().await, "maria");
}

#[tokio::test]
async fn a_repeated_reset_is_idempotent() {
    let world = World::new().await;
    let (_, id) = world.new_user("maria").await;
    let link = world.reset_link("maria", "maria@example.org").await;
    field_refused(&patch(&world, &link, "short").send().await, "pwd", PASSWORD_TOO_SHORT);
    password_set(&patch(&world, &link, NEW).send().await, "maria");
    let row = world.user_row(&id).await;
    password_set(&patch(&world, &link, NEW).send().await, "maria");
    era_refused(&patch(&world, &link, "another-horse").send().await, 404, NO_REQUEST);
    era_refused(&world.reset_password(&link, NEW).await, 404, NO_REQUEST);
    let unknown = "19738eb3-0183-b148-9420-7cd30a921f58";
    era_refused(&patch(&world, unknown, NEW).send().await, 404, NO_REQUEST);
    assert_eq!(world.user_row(&id).await, row);
    change_notices_sent(&world, "maria@example.org", 1).await;
}

#[tokio::test]
async fn a_repeated_change_is_idempotent_for_the_same_user() {
    let world = World::new().await;
    let (token, id) = world.new_user("maria").await;
    let (other, other_id) = world.new_user("other").await;
    password_set(&change(&world, &token).send().await, "maria");
    let row = world.user_row(&id).await;
    password_set(&change(&world, &token).send().await, "maria");
    assert_eq!(world.user_row(&id).await, row);
    change_notices_sent(&world, "maria@example.org", 1).await;
    // The same key and body from another user is another call.
    assert!(world.mails_to("other@example.org").await.is_empty());
    password_set(&change(&world, &other).send().await, "other");
    assert!(world.password_works(&other_id, NEW).await);
    // Without a token, or with an unknown one, no stored answer is returned.
    for token in ["", "x", "u.x"] {
        era_refused(&change(&world, token).send().await, 401, ERA_UNAUTHORIZED);
    }
}

fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(*part);
    }
    bytes
}

#[tokio::test]
async fn stored_responses_do_not_allow_guessing_a_password() {
    let world = World::new().await;
    let (token, id) = world.new_user("maria").await;
    let link = world.reset_link("maria", "maria@example.org").await;
    let rows = async || world.rows("RepetitionsTable").await;

    // Without a credential nothing protects the password in the body, so nothing is stored.
    let body = json!({ "current_pwd": OLD, "new_pwd": NEW });
    era_refused(&keyed(world.post(RESET).json(&body)).send().await, 401, ERA_UNAUTHORIZED);
    for authorization in ["Basic bWFyaWE6eA==", "Bearer undefined", "Bearer null", "Bearer maria"] {
        let ask = keyed(world.post(RESET).json(&body)).header("authorization", authorization);
        era_refused(&ask.send().await, 401, ERA_UNAUTHORIZED);
    }
    for (body, field) in [
        (json!({ "current_pwd": OLD, "new_pwd": NEW, "login": "maria" }), "login"),
        (json!({ "current_pwd": OLD, "new_password": NEW }), "new_pwd"),
        (json!({ "pwd": NEW }), "key"),
        (json!({ "key": "maria", "domain": DOMAIN, "pwd": NEW }), "pwd"),
    ] {
        let got = keyed(world.post(RESET).json(&body)).send().await;
        assert_eq!(got.ok(412)["error_details"]["field"], field);
    }
    for id in ["123", "%20", "maria"] {
        era_refused(&patch(&world, id, NEW).send().await, 404, NO_REQUEST);
    }
    assert!(rows().await.is_empty(), "nothing is stored without a credential: {:?}", rows().await);

    password_set(&patch(&world, &link, NEW).send().await, "maria");
    era_refused(&change(&world, &token).send().await, 401, ERA_UNAUTHORIZED);
    let token = world.create_token(json!({ "user_id": id, "scopes": ["api"] })).await;
    let body = json!({ "current_pwd": NEW, "new_pwd": OLD });
    password_set(&keyed(world.post(RESET).bearer(&token).json(&body)).send().await, "maria");
    let rows = rows().await;
    assert_eq!(rows.len(), 2, "a refusal is not stored");
    let stored: Vec<_> = rows
        .iter()
        .map(|row| STANDARD.decode(row["call"]["B"].as_str().expect("B")).expect("base64"))
        .collect();
    let bodies = [
        json!({ "pwd": NEW }),
        json!({ "current_pwd": OLD, "new_pwd": NEW }),
        json!({ "current_pwd": NEW, "new_pwd": OLD }),
        Value::from(NEW),
    ];
    for body in bodies.map(|body| body.to_string()) {
        for function in ["", "password-reset-request", "password-reset-confirm"] {
            for credential in ["", "maria", "maria@example.org", id.as_str(), DOMAIN, IDEMPOTENCY_KEY] {
                for parts in [
                    &[
                        &b"repetition"[..],
                        function.as_bytes(),
                        credential.as_bytes(),
                        IDEMPOTENCY_KEY.as_bytes(),
                        body.as_bytes(),
                    ][..],
                    &[
                        function.as_bytes(),
                        credential.as_bytes(),
                        IDEMPOTENCY_KEY.as_bytes(),
                        body.as_bytes(),
                    ],
                    &[credential.as_bytes(), IDEMPOTENCY_KEY.as_bytes(), body.as_bytes()],
                    &[IDEMPOTENCY_KEY.as_bytes(), body.as_bytes()],
                    &[body.as_bytes()],
                ] {
                    for guess in [Sha256::digest(framed(parts)), Sha256::digest(parts.concat())] {
                        assert!(stored.iter().all(|key| key[..] != guess[..]), "{function} {credential} {body}");
                    }
                }
            }
        }
    }
    let text = Value::from(rows).to_string();
    for secret in [OLD, NEW, &token, &link] {
        assert!(!text.contains(secret));
    }
}
