//! The stored rows of text message codes and logins are useless to a reader of the tables (security.md R05, R08, R10).
//! That no function prints them is checked when each world ends (R57).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{
    factors::person_awaiting_phone,
    login::{other_than, token_in},
    mithril::{INIT, data, wrong_code},
    people::PHONE,
    rows::is_unsearchable,
    world::{World, holds},
};

/// The newest code of the demo user, as it is stored.
async fn stored(world: &World) -> Value {
    let rows = world.rows("OtpsTable").await;
    assert_eq!(rows.len(), 1);
    rows[0]["code"]["M"].clone()
}

#[tokio::test]
async fn no_table_holds_a_code_or_a_token() {
    let world = World::new().await;
    let mut secrets = BTreeSet::new();
    for n in 0..10 {
        let person = world.create_person_with(&format!("person{n}"), &format!("+3809912345{n}0")).await;
        let (login, code) = world.begin_login(&person).await;
        secrets.extend([login, code]);
    }
    for n in 0..4 {
        let (_, login) = person_awaiting_phone(&world, &format!("empty{n}")).await;
        let phone = format!("+3809912345{n}1");
        let approval = token_in(&world.init_factor(&login, &phone).await);
        let code = world.code_to(&phone).await;
        if n % 2 == 0 {
            secrets.insert(token_in(&world.approve_factor(&approval, &code).await));
        }
        secrets.extend([login, approval, code]);
    }
    let rows = world.all_rows().await;
    for secret in &secrets {
        let parts = secret.split('.').filter(|part| part.len() > 30);
        for part in parts.chain([secret.as_str()]) {
            assert!(!holds(&rows, part), "{part} is stored in a table");
        }
    }
    // The stored digests of two users' codes always differ, whatever the codes.
    let macs: Vec<_> = world.rows("OtpsTable").await.iter().map(|row| row["code"]["M"]["mac"].clone()).collect();
    let live: BTreeSet<_> = macs.iter().filter(|mac| !mac.is_null()).map(Value::to_string).collect();
    assert_eq!((macs.len(), live.len()), (14, 12), "R10: and a used one leaves none behind");
}

#[tokio::test]
async fn a_code_cannot_be_brute_forced_without_the_key() {
    let world = World::new().await;
    let demo = world.demo();
    let (_, code) = world.begin_login(&demo).await;
    let rows = [world.rows("OtpsTable").await, world.rows("BudgetsTable").await].concat();
    is_unsearchable(&rows, &[&demo.id, PHONE, "SMS", &demo.email], &[&code]);
}

#[tokio::test]
async fn a_consumed_or_expired_code_leaves_nothing_to_guess() {
    let world = World::new().await;
    let demo = world.demo();
    for end in ["VERIFIED", "CANCELED", "EXPIRED", "UNVERIFIED"] {
        let (token, code) = world.begin_login(&demo).await;
        let found = stored(&world).await;
        assert_eq!((&found["status"]["S"], found["mac"]["B"].is_string()), (&json!("NEW"), true));
        match end {
            "VERIFIED" => assert_eq!(world.submit_code(&token, &code).await.status, 201),
            "CANCELED" => {
                world.inject(json!({ "service": "sns", "operation": null, "kind": "error", "times": 99 })).await;
                assert_eq!(world.resend_code(&demo, &token).await.status, 503);
                world.clear_faults().await;
            }
            "EXPIRED" => {
                world.advance(300).await;
                assert_eq!(world.submit_code(&token, &code).await.json()["error"]["type"], "otp_expired");
            }
            _ => {
                for _ in 0..3 {
                    let wrong = other_than(&code);
                    assert_eq!(world.submit_code(&token, &wrong).await.status, 401);
                }
                // The guess after the limit, per code and per account.
                wrong_code(&world.submit_code(&token, &code).await);
            }
        }
        let found = stored(&world).await;
        assert_eq!((&found["status"]["S"], &found["mac"]), (&json!(end), &Value::Null), "{end}");
        world.advance(61).await;
        if end == "EXPIRED" {
            data(&world.request("PATCH", &demo.action_path("block")).bearer(world.admin()).send().await, 200);
            data(&world.request("PATCH", &demo.action_path("unblock")).bearer(world.admin()).send().await, 200);
        }
    }
}

#[tokio::test]
async fn every_row_of_a_login_expires() {
    let world = World::new().await;
    let demo = world.demo();
    world.begin_login(&demo).await;
    let (_, login) = person_awaiting_phone(&world, "maria").await;
    let form = json!({ "type": "SMS", "factor": "+380881234599" });
    let ask = world.request("PATCH", INIT).bearer(&login).header("idempotency-key", "key");
    token_in(&ask.json(&form).send().await);
    for table in ["TokensTable", "OtpsTable", "BudgetsTable", "RepetitionsTable"] {
        let rows = world.rows(table).await;
        assert!(!rows.is_empty(), "{table}");
        for row in rows.iter().filter(|row| row["countries"].is_null()) {
            let ttl: u64 = row["ttl"]["N"].as_str().and_then(|ttl| ttl.parse().ok()).expect("whole seconds");
            assert!((1_000_000_000..100_000_000_000).contains(&ttl), "{table}: {row}");
        }
    }
}

#[tokio::test]
async fn old_keys_verify_codes_new_keys_seal_them_and_lost_keys_fail_closed() {
    const KEYS: &str = "countersign-OtpKeys";
    let world = World::durable().await;
    let demo = world.demo();
    let (token, code) = world.begin_login(&demo).await;
    let mut keys = world.keys(KEYS).await;
    keys["2"] = "a second key, as a rotation would add it, 64 characters or so".into();
    world.set_keys(KEYS, &keys).await;
    let world = world.restarted().await;
    world.submit_code(&token, &code).await.ok(201);
    let (token, code) = world.begin_login(&demo).await;
    world
        .set_keys(KEYS, &json!({ "3": "a third key, and both of the earlier ones are gone, to see it" }))
        .await;
    let world = world.restarted().await;
    wrong_code(&world.submit_code(&token, &code).await);
    // Another message works.
    data(&world.resend_code(&demo, &token).await, 200);
    let code = world.code_to(PHONE).await;
    world.submit_code(&token, &code).await.ok(201);
}
