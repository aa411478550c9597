//! Support PINs: docs/contract.md, Support PIN.

use serde_json::{Value, json};

use crate::support::{
    clock::DAY,
    support_pin::{OWN_PIN, create_pin, pin_in, pin_path, revocation_path},
    words::{INTERNAL_ERROR, NO_PIN, NO_PIN_TO_REVOKE, SHOW_FAILED, UNAUTHORIZED},
    world::World,
};

#[tokio::test]
async fn create_returns_a_pin_that_expires_in_24_hours() {
    let world = World::new().await;
    let before = world.now().await;
    let got = world.post(OWN_PIN).private_token(world.user()).send().await;
    let after = world.now().await;
    pin_in(&got, 201);
    let end = got.ok(201)["expires_at"].as_str().expect("a time").to_owned();
    let ends: Vec<_> = (before..=after).map(|now| iso(now + DAY)).collect();
    assert!(ends.contains(&end), "{end} is none of {ends:?}");
}

fn iso(seconds: u64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).expect("fits")).expect("a time");
    at.format(&time::format_description::well_known::Rfc3339).expect("RFC 3339")
}

#[tokio::test]
async fn the_owner_and_an_administrator_read_the_same_pin_repeatedly() {
    let world = World::new().await;
    let created = create_pin(&world, world.user()).await;
    for _ in 0..2 {
        assert_eq!(pin_in(&world.get(OWN_PIN).private_token(world.user()).send().await, 200), created);
        assert_eq!(pin_in(&world.get(OWN_PIN).bearer(world.user()).send().await, 200), created);
        let got = world.get(&pin_path(world.id("/user/user_id"))).private_token(world.admin()).send().await;
        assert_eq!(pin_in(&got, 200), created);
    }
}

#[tokio::test]
async fn a_new_pin_replaces_the_old_one_and_restarts_its_lifetime() {
    let world = World::new().await;
    create_pin(&world, world.user()).await;
    world.advance(DAY - 60).await;
    let second = create_pin(&world, world.user()).await;
    world.advance(DAY - 60).await;
    assert_eq!(pin_in(&world.get(OWN_PIN).private_token(world.user()).send().await, 200), second);
    assert_eq!(world.rows("SupportPinsTable").await.len(), 1, "one PIN per user");
}

#[tokio::test]
async fn a_missing_pin_is_not_found() {
    let world = World::new().await;
    world.get(OWN_PIN).private_token(world.user()).send().await.is(404, NO_PIN);
    world
        .get(&pin_path(world.id("/user/user_id")))
        .private_token(world.admin())
        .send()
        .await
        .is(404, NO_PIN);
    world
        .post(&revocation_path(world.id("/user/user_id")))
        .private_token(world.admin())
        .send()
        .await
        .is(404, NO_PIN_TO_REVOKE);
}

#[tokio::test]
async fn an_expired_pin_is_unreadable_even_if_its_row_is_still_stored() {
    let world = World::new().await;
    let created = world.post(OWN_PIN).private_token(world.user()).send().await.ok(201);
    let end = created["expires_at"].as_str().expect("a time").to_owned();
    let id = world.id("/user/user_id");
    // Until the last second before the expiry, wherever in a second the PIN was made.
    world.advance(DAY - 10).await;
    while iso(world.now().await + 1) < end {
        pin_in(&world.get(OWN_PIN).private_token(world.user()).send().await, 200);
        world.advance(1).await;
    }
    world.advance(1).await;
    world.get(OWN_PIN).private_token(world.user()).send().await.is(404, NO_PIN);
    world.get(&pin_path(id)).private_token(world.admin()).send().await.is(404, NO_PIN);
    world.post(&revocation_path(id)).private_token(world.admin()).send().await.is(404, NO_PIN_TO_REVOKE);
    let rows = world.rows("SupportPinsTable").await;
    assert_eq!(rows.len(), 1, "the broom has not come yet");
    assert_eq!(iso(rows[0]["ttl"]["N"].as_str().expect("N").parse().expect("a number")), end);
    let swept = world.sweep().await;
    assert!(swept["deleted"].as_u64() >= Some(1), "{swept}");
    assert_eq!(world.rows("SupportPinsTable").await.len(), 0);
    world.get(OWN_PIN).private_token(world.user()).send().await.is(404, NO_PIN);
    create_pin(&world, world.user()).await;
}

#[tokio::test]
async fn revoke_invalidates_the_pin_and_leaves_no_ciphertext() {
    let world = World::new().await;
    let id = world.id("/user/user_id");
    create_pin(&world, world.user()).await;
    world.post(&revocation_path(id)).private_token(world.admin()).send().await.is(202, "{}");
    world.get(OWN_PIN).private_token(world.user()).send().await.is(404, NO_PIN);
    world.get(&pin_path(id)).private_token(world.admin()).send().await.is(404, NO_PIN);
    world.post(&revocation_path(id)).private_token(world.admin()).send().await.is(404, NO_PIN_TO_REVOKE);
    for row in world.rows("SupportPinsTable").await {
        for gone in ["sealed", "nonce", "pin_id"] {
            assert!(row.get(gone).is_none(), "{gone} is left in {row}");
        }
    }
    let again = create_pin(&world, world.user()).await;
    assert_eq!(pin_in(&world.get(OWN_PIN).private_token(world.user()).send().await, 200), again);
}

#[tokio::test]
async fn a_pin_revoked_with_its_owners_tokens_cannot_be_revoked_again() {
    let world = World::new().await;
    let id = world.id("/user/user_id");
    create_pin(&world, world.user()).await;
    let row = world.rows("SupportPinsTable").await;
    world.run_command(json!({ "command": "end_tokens", "user_id": id })).await;
    world.post(&revocation_path(id)).private_token(world.admin()).send().await.is(404, NO_PIN_TO_REVOKE);
    assert_eq!(world.rows("SupportPinsTable").await, row, "nothing was changed");
}

#[tokio::test]
async fn an_unauthenticated_caller_gets_401() {
    let world = World::new().await;
    let id = world.id("/user/user_id");
    for (method, path) in [
        ("POST", OWN_PIN.into()),
        ("GET", OWN_PIN.into()),
        ("GET", pin_path(id)),
        ("POST", revocation_path(id)),
    ] {
        world.request(method, &path).send().await.is(401, UNAUTHORIZED);
        for token in ["glpat-XXXXXXXXXXXXXXXXX", "", "u.x", &world.user().replace('u', "v")] {
            world.request(method, &path).private_token(token).send().await.is(401, UNAUTHORIZED);
        }
        let got = world.request(method, &path).header("authorization", "Basic dXNlcjpwd2Q=").send().await;
        got.is(401, UNAUTHORIZED);
        assert_eq!(got.header("www-authenticate"), Some("Bearer"));
    }
    assert!(world.rows("SupportPinsTable").await.is_empty(), "nothing was written");
}

#[tokio::test]
async fn leading_zeros_are_kept() {
    let world = World::new().await;
    for _ in 0..200 {
        let created = create_pin(&world, world.user()).await;
        if created.starts_with('0') {
            assert_eq!(pin_in(&world.get(OWN_PIN).private_token(world.user()).send().await, 200), created);
            return;
        }
    }
    panic!("200 PINs without a leading zero: the chance is 7e-10");
}

#[tokio::test]
async fn parallel_creates_leave_one_valid_pin() {
    let world = World::new().await;
    let created = futures_util::future::join_all((0..32).map(|_| create_pin(&world, world.user()))).await;
    let left = pin_in(&world.get(OWN_PIN).private_token(world.user()).send().await, 200);
    assert!(created.contains(&left), "the PIN that is left was returned to a caller");
    assert_eq!(world.rows("SupportPinsTable").await.len(), 1);
}

#[tokio::test]
async fn one_of_parallel_revocations_succeeds() {
    let world = World::new().await;
    create_pin(&world, world.user()).await;
    let path = revocation_path(world.id("/user/user_id"));
    let revokes = (0..32).map(|_| world.post(&path).private_token(world.admin()).send());
    let won = futures_util::future::join_all(revokes).await.iter().filter(|got| got.status == 202).count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_modified_row_shows_no_pin() {
    use aws_sdk_dynamodb::types::AttributeValue as A;
    let world = World::new().await;
    let (other, other_id) = world.new_user("other").await;
    let user_id = world.id("/user/user_id").to_owned();
    let db = world.dynamodb();
    let row = async |id: &str| {
        let got = db
            .get_item()
            .table_name("countersign-SupportPinsTable")
            .key("user_id", A::S(id.into()))
            .send()
            .await;
        got.expect("the engine answers").item.expect("a row")
    };
    let write = async |item| {
        db.put_item()
            .table_name("countersign-SupportPinsTable")
            .set_item(Some(item))
            .send()
            .await
            .expect("written");
    };
    create_pin(&world, world.user()).await;
    create_pin(&world, &other).await;
    let (mine, theirs) = (row(&user_id).await, row(&other_id).await);

    let mut swapped = mine.clone();
    for attribute in ["sealed", "nonce", "pin_id", "ttl", "key_id"] {
        swapped.insert(attribute.into(), theirs[attribute].clone());
    }
    let mut later = mine.clone();
    let end: u64 = mine["ttl"].as_n().expect("N").parse().expect("a number");
    later.insert("ttl".into(), A::N((end + 1000).to_string()));
    let mut flipped = mine.clone();
    let mut bytes = mine["sealed"].as_b().expect("B").as_ref().to_vec();
    bytes[0] ^= 1;
    flipped.insert("sealed".into(), A::B(aws_sdk_dynamodb::primitives::Blob::new(bytes)));
    let mut other_key = mine.clone();
    other_key.insert("key_id".into(), A::N("2".into()));

    for (what, damaged) in [
        ("swapped", swapped),
        ("later", later),
        ("flipped", flipped),
        ("other key", other_key),
    ] {
        write(damaged).await;
        let own = world.get(OWN_PIN).private_token(world.user()).send().await;
        assert_eq!((own.status, own.body.as_str()), (500, INTERNAL_ERROR), "{what}");
        let shown = world.get(&pin_path(&user_id)).private_token(world.admin()).send().await;
        shown.is(422, SHOW_FAILED);
    }
    let noted = world.cloud().logs().iter().filter(|line| line.contains("decrypt_fail")).count();
    assert_eq!(noted, 8, "each is one line in the log");
    write(mine).await;
    pin_in(&world.get(OWN_PIN).private_token(world.user()).send().await, 200);
}

#[tokio::test]
async fn the_lifetime_is_configurable() {
    let world = World::with(&[("SupportPinLifetime", "60")]).await;
    create_pin(&world, world.user()).await;
    world.advance(30).await;
    pin_in(&world.get(OWN_PIN).private_token(world.user()).send().await, 200);
    world.advance(30).await;
    world.get(OWN_PIN).private_token(world.user()).send().await.is(404, NO_PIN);
}

#[tokio::test]
async fn each_action_is_in_the_log() {
    let world = World::new().await;
    let (user, admin) = (world.id("/user/user_id"), world.id("/admin/user_id"));
    create_pin(&world, world.user()).await;
    world.get(&pin_path(user)).private_token(world.admin()).send().await;
    world.post(&revocation_path(user)).private_token(world.admin()).send().await;
    world.get(&pin_path(user)).private_token(world.user()).send().await;
    world.get(OWN_PIN).send().await;
    let lines: Vec<Value> = world
        .cloud()
        .logs()
        .iter()
        .filter_map(|line| line.split_once(" | "))
        .filter(|(function, _)| function.trim().starts_with("support-pin"))
        .map(|(_, line)| serde_json::from_str(line).expect("one JSON object a line"))
        .collect();
    let (user, admin) = (format!("user:{user}"), format!("user:{admin}"));
    let event = |route: &str, status: u16, outcome: &str, actor: Value, subject: Value| {
        let matches = |line: &&Value| {
            line["route"] == route
                && line["status"] == status
                && line["outcome"] == outcome
                && line["actor"] == actor
                && line["subject"] == subject
                && line["at"].as_str().is_some_and(|at| at.ends_with('Z'))
                && line["request_id"].as_str().is_some_and(|id| !id.is_empty())
        };
        assert_eq!(lines.iter().filter(matches).count(), 1, "{route} {outcome} in {lines:#?}");
    };
    event("POST /api/v4/user/support_pin", 201, "pin_created", json!(user), Value::Null);
    event("GET /api/v4/users/{id}/support_pin", 200, "pin_read", json!(admin), json!(user));
    event("POST /api/v4/users/{id}/support_pin/revoke", 202, "pin_revoked", json!(admin), json!(user));
    event("GET /api/v4/users/{id}/support_pin", 403, "not_administrator", json!(user), json!(user));
    event("GET /api/v4/user/support_pin", 401, "no_token", Value::Null, Value::Null);
    assert_eq!(lines.len(), 5, "one line a request");
}
