//! The contents of the tables are useless to a reader (security.md section B).

use std::collections::BTreeSet;

use crate::support::{
    passcode::{Issued, PURPOSE, SHORT, USER},
    rows::is_unsearchable,
    words::INTERNAL_ERROR,
    world::{World, holds},
};

#[tokio::test]
async fn no_table_holds_a_usable_secret() {
    let world = World::with(&[("PasscodePurposes", SHORT)]).await;
    let mut secrets = BTreeSet::new();
    for n in 0..50 {
        let purpose = if n % 2 == 0 { "LINK" } else { "PHONE" };
        let username = format!("user{n}");
        secrets.insert(world.retrieve(&username, purpose).await.token);
    }
    let pin = world.post("/api/v4/user/support_pin").private_token(world.user()).send().await.ok(201);
    secrets.insert(pin["pin"].as_str().expect("a PIN").to_owned());
    for pointer in [
        "/user/token",
        "/admin/token",
        "/passcode_token",
        "/client/client_secret",
        "/user/password",
    ] {
        secrets.insert(world.id(pointer).to_owned());
        secrets.extend(world.id(pointer).split('.').map(str::to_owned).filter(|part| part.len() > 30));
    }
    let rows = world.all_rows().await;
    for secret in &secrets {
        assert!(!holds(&rows, secret), "{secret} is stored in a table");
    }
    // Usernames and purposes are stored as digests only.
    assert!(!rows.contains("user49") && !rows.contains("PHONE"), "a username or purpose is stored in a table");
}

#[tokio::test]
async fn six_digit_secrets_cannot_be_brute_forced_without_the_key() {
    let world = World::with(&[("PasscodePurposes", SHORT)]).await;
    let issued = world.retrieve("u", "PHONE").await;
    let pin = world.post("/api/v4/user/support_pin").private_token(world.user()).send().await.ok(201);
    let rows = [world.rows("PasscodesTable").await, world.rows("SupportPinsTable").await].concat();
    let codes = [issued.token.as_str(), pin["pin"].as_str().expect("a text")];
    is_unsearchable(&rows, &["u", "PHONE", "uPHONE"], &codes);
}

#[tokio::test]
async fn passwords_are_argon2id_with_owasps_parameters() {
    let world = World::new().await;
    let rows = world.rows("UsersTable").await;
    assert_eq!(rows.len(), 2);
    for row in rows {
        let phc = row["password"]["S"].as_str().expect("S");
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
    }
}

#[tokio::test]
async fn every_row_with_a_secret_expires() {
    let world = World::with(&[("PasscodePurposes", SHORT)]).await;
    world.retrieve(USER, "PHONE").await;
    world.consume("000000", USER, "PHONE").send().await;
    world.post("/api/v4/user/support_pin").private_token(world.user()).send().await.ok(201);
    for table in ["TokensTable", "PasscodesTable", "SupportPinsTable", "BudgetsTable"] {
        let rows = world.rows(table).await;
        assert!(!rows.is_empty(), "{table}");
        for row in rows {
            let ttl: u64 = row["ttl"]["N"].as_str().expect("a number").parse().expect("whole seconds");
            assert!((1_000_000_000..100_000_000_000).contains(&ttl), "{row}");
        }
    }
}

const SECRETS: [&str; 2] = ["countersign-SupportPinKeys", "countersign-PasscodeKeys"];

#[tokio::test]
async fn old_keys_verify_new_keys_sign_and_lost_keys_fail_closed() {
    let own = "/api/v4/user/support_pin";
    let consume =
        async |world: &World, issued: &Issued| world.consume(&issued.token, USER, PURPOSE).send().await.status;

    let world = World::durable().await;
    let pin = world.post(own).private_token(world.user()).send().await;
    pin.ok(201);
    let (old, older) = (world.retrieve(USER, PURPOSE).await, world.retrieve(USER, PURPOSE).await);
    assert_eq!(world.rows("SupportPinsTable").await[0]["key_id"]["N"], "1");
    for secret in SECRETS {
        let mut keys = world.keys(secret).await;
        keys["2"] = "a second key, as a rotation would add it, 64 characters or so".into();
        world.set_keys(secret, &keys).await;
    }
    let world = world.restarted().await;
    world.get(own).private_token(world.user()).send().await.is(200, &pin.body);
    assert_eq!(consume(&world, &old).await, 200, "the old key verifies");
    let newer = world.retrieve(USER, PURPOSE).await;
    let (other, _) = world.new_user("other").await;
    let others = world.post(own).private_token(&other).send().await;
    others.ok(201);
    let rows = world.rows("SupportPinsTable").await;
    let ids: BTreeSet<_> = rows.iter().filter_map(|row| row["key_id"]["N"].as_str()).collect();
    assert_eq!(ids, BTreeSet::from(["1", "2"]), "the new key signs what is new");

    for secret in SECRETS {
        let keys = world.keys(secret).await;
        world.set_keys(secret, &serde_json::json!({ "2": keys["2"] })).await;
    }
    let world = world.restarted().await;
    world.get(own).private_token(world.user()).send().await.is(500, INTERNAL_ERROR);
    world.get(own).private_token(&other).send().await.is(200, &others.body);
    assert_eq!(consume(&world, &older).await, 400, "its key is gone");
    assert_eq!(consume(&world, &newer).await, 200);
}
