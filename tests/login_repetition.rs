//! `Idempotency-Key` on logins (docs/contract.md, All routes), and how a stored answer that contains a token is
//! protected (docs/security.md R05).

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::join_all;
use md5::Md5;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::support::{
    login::{api_grant, other_than, password_grant, token_in},
    mithril::{TOKENS, refused, token_expired, wrong_code, wrong_identity},
    people::PHONE,
    requests::{IDEMPOTENCY_KEY, Request, Response},
    words::{MALFORMED_REQUEST, REQUEST_IN_PROGRESS, SMS_UNSENT},
    world::World,
};

fn keyed<'a>(world: &'a World, key: &str, body: &Value) -> Request<'a> {
    world.post(TOKENS).json(body).header("idempotency-key", key)
}

/// Sends it, and keeps the token of its answer out of the logs.
async fn sent(world: &World, ask: Request<'_>) -> Response {
    let got = ask.send().await;
    if got.status == 201 {
        world.keep_out_of_logs(&token_in(&got));
    }
    got
}

fn refresh(token: &str) -> Value {
    json!({ "grant_type": "refresh_2fa_access_token", "token": token })
}

#[tokio::test]
async fn a_repeated_login_is_idempotent_and_sends_nothing() {
    let world = World::new().await;
    let demo = world.demo();
    let count = async || world.sms_to(PHONE).await.len();
    let login = api_grant(&demo);
    let first = sent(&world, keyed(&world, IDEMPOTENCY_KEY, &login)).await;
    let token = token_in(&first);
    for _ in 0..4 {
        let again = sent(&world, keyed(&world, IDEMPOTENCY_KEY, &login)).await;
        assert_eq!((again.status, &again.body), (201, &first.body));
    }
    assert_eq!(count().await, 1);

    let renewed = sent(&world, keyed(&world, IDEMPOTENCY_KEY, &refresh(&token))).await;
    let again = sent(&world, keyed(&world, IDEMPOTENCY_KEY, &refresh(&token))).await;
    assert_eq!((again.status, &again.body), (201, &renewed.body), "though that token has ended");
    assert_eq!(count().await, 2);
    token_expired(&world.refresh_login(&token).await);
    // The token in the header is part of the call.
    let bare = json!({ "grant_type": "refresh_2fa_access_token" });
    let by_header = |token: &str| keyed(&world, IDEMPOTENCY_KEY, &bare).bearer(token);
    let third = sent(&world, by_header(&token_in(&renewed))).await;
    let again = sent(&world, by_header(&token_in(&renewed))).await;
    assert_eq!((again.status, &again.body), (201, &third.body));
    token_expired(&by_header(&token).send().await);
    assert_eq!(count().await, 3);

    let code = world.code_to(PHONE).await;
    let body = json!({ "grant_type": "authorize_2fa_access_token", "token": token_in(&third), "otp": code });
    let opened = sent(&world, keyed(&world, IDEMPOTENCY_KEY, &body)).await;
    let again = sent(&world, keyed(&world, IDEMPOTENCY_KEY, &body)).await;
    assert_eq!((again.status, &again.body), (201, &opened.body));
    assert!(world.token_works(&token_in(&opened)).await, "the owner of a lost answer has it");
    assert_eq!(world.count_access_tokens(&demo).await, 1);
    token_expired(&world.submit_code(&token_in(&third), &code).await);

    // Another key, or another body, is another login; and after a day the record has expired.
    world.advance(60).await;
    assert_ne!(sent(&world, keyed(&world, "other", &login)).await.body, first.body);
    assert_ne!(
        sent(&world, keyed(&world, IDEMPOTENCY_KEY, &password_grant(&demo.email, &demo.password)))
            .await
            .body,
        first.body
    );
    assert_eq!(count().await, 5);
    world.advance(86_400).await;
    assert_ne!(sent(&world, keyed(&world, IDEMPOTENCY_KEY, &login)).await.body, first.body);
    assert_eq!(count().await, 6);
}

#[tokio::test]
async fn a_refused_login_is_evaluated_again() {
    let world = World::new().await;
    let demo = world.demo();
    for n in 1..=3 {
        let body = password_grant(&demo.email, "wrong");
        wrong_identity(&keyed(&world, IDEMPOTENCY_KEY, &body).send().await);
        assert_eq!(world.failure_counts(&demo).await.0, n.to_string(), "it is another guess");
    }
    let (token, code) = world.begin_login(&demo).await;
    for n in 1..=2 {
        let body = json!({ "grant_type": "authorize_2fa_access_token", "token": token, "otp": other_than(&code) });
        wrong_code(&keyed(&world, IDEMPOTENCY_KEY, &body).send().await);
        assert_eq!(world.failure_counts(&demo).await.1, n.to_string(), "it is another guess");
    }
    assert!(world.rows("RepetitionsTable").await.is_empty());
    let down = json!({ "service": "sns", "operation": null, "kind": "error", "skip": 0, "times": 1000 });
    world.inject(down).await;
    let got = keyed(&world, IDEMPOTENCY_KEY, &refresh(&token)).send().await;
    refused(&got, 503, "internal_error", SMS_UNSENT);
    world.clear_faults().await;
    let renewed = sent(&world, keyed(&world, IDEMPOTENCY_KEY, &refresh(&token))).await;
    token_in(&renewed);
    assert_eq!(world.sms_to(PHONE).await.len(), 2);
    for key in ["", "schlüssel", &"k".repeat(256)] {
        let got = keyed(&world, key, &refresh(&token_in(&renewed))).send().await;
        refused(&got, 400, "request_malformed", MALFORMED_REQUEST);
    }
    assert_eq!(world.sms_to(PHONE).await.len(), 2);
}

#[tokio::test]
async fn parallel_logins_with_one_idempotency_key_are_one() {
    let world = World::new().await;
    let login = api_grant(&world.demo());
    let answers = join_all((0..16).map(|_| keyed(&world, IDEMPOTENCY_KEY, &login).send())).await;
    let (done, waiting): (Vec<_>, Vec<_>) = answers.iter().partition(|got| got.status == 201);
    let token = token_in(done.first().expect("one of them"));
    world.keep_out_of_logs(&token);
    assert!(done.iter().all(|got| got.body == done[0].body));
    for got in waiting {
        refused(got, 409, "request_conflict", REQUEST_IN_PROGRESS);
        assert!((1..=15).contains(&got.retry_after()), "{got:?}");
    }
    assert_eq!(world.sms_to(PHONE).await.len(), 1);
    token_in(&world.submit_code(&token, &world.code_to(PHONE).await).await);
}

#[tokio::test]
async fn a_stored_response_is_encrypted() {
    let world = World::new().await;
    let demo = world.demo();
    let login = api_grant(&demo);
    let waits = sent(&world, keyed(&world, IDEMPOTENCY_KEY, &login)).await;
    let (token, code) = (token_in(&waits), world.code_to(PHONE).await);
    let waiting = world.all_rows().await;
    let body = json!({ "grant_type": "authorize_2fa_access_token", "token": token, "otp": code });
    let opened = sent(&world, keyed(&world, IDEMPOTENCY_KEY, &body)).await;
    let rows = world.all_rows().await;
    assert_eq!(world.rows("RepetitionsTable").await.len(), 2);
    for rows in [&waiting, &rows] {
        for token in [token_in(&waits), token_in(&opened)] {
            let (_, secret) = token.split_once('.').expect("an owner and a secret");
            assert!(!rows.contains(secret), "a token in {rows}");
        }
        for secret in [demo.password.as_str(), IDEMPOTENCY_KEY] {
            assert!(!rows.contains(secret), "a secret in {rows}");
        }
        // Six digits can occur in longer numbers; the code is none of the values.
        for form in [format!("\"{code}\""), STANDARD.encode(&code)] {
            assert!(!rows.contains(&form), "the code in {rows}");
        }
        let user = demo.id.as_str();
        for said in [
            code.clone(),
            format!("{user}{code}"),
            format!("{code}{user}"),
            format!("{PHONE}{code}"),
        ] {
            let digests = [
                Sha256::digest(&said).to_vec(),
                Sha1::digest(&said).to_vec(),
                Md5::digest(&said).to_vec(),
            ];
            for digest in digests {
                let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                assert!(!rows.contains(&hex) && !rows.contains(&STANDARD.encode(&digest)), "a digest of the code");
            }
        }
    }
    // A reader of the table who knows the key and the address cannot brute-force the password: the digest is keyed.
    let stored = world.rows("RepetitionsTable").await;
    for text in [login.to_string(), body.to_string()] {
        for credential in ["", demo.email.as_str(), &demo.id] {
            let mut parts = Vec::new();
            for part in ["repetition", "token-create", credential, IDEMPOTENCY_KEY, &text] {
                parts.extend((part.len() as u64).to_be_bytes());
                parts.extend(part.as_bytes());
            }
            let digest = STANDARD.encode(Sha256::digest(&parts));
            assert!(stored.iter().all(|row| row["call"]["B"] != digest.as_str()), "{credential}");
        }
    }
    // Another `Idempotency-Key` does not return the stored answer.
    token_expired(&keyed(&world, "another", &body).send().await);
}
