//! Ids as callers write them: UUIDs and ULIDs in any letter case, on every route and in every command
//! (docs/contract.md, All routes).

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::support::{
    era::era_refused,
    mithril::{USERS, data},
    passcode::{PURPOSE, USER},
    words::{NO_PIN, NO_REQUEST},
    world::World,
};

#[tokio::test]
async fn user_and_factor_ids_are_read_in_any_letter_case() {
    let world = World::new().await;
    let maria = world.create_person_with("maria", "+380881234531").await;
    let id = maria.id.to_uppercase();
    let list = format!("{USERS}/{id}/authentication_factors");
    let listed = world.get(&list).bearer(world.admin()).send().await.ok(200)["data"].take();
    let factor = listed[0]["id"].as_str().expect("a factor").to_owned();
    assert_eq!(listed[0]["user_id"], maria.id);
    let one = format!("{list}/{}", factor.to_uppercase());
    let shown = world.get(&one).bearer(world.admin()).send().await;
    assert_eq!(data(&shown, 200)["id"], factor.as_str());
    let patch = async |path: String| {
        let got = world.request("PATCH", &path).bearer(world.admin()).send().await;
        data(&got, 200)
    };
    let (login, _) = world.begin_login(&maria).await;
    let sent = world.request("PATCH", &format!("{USERS}/{id}/actions/create_otp")).bearer(&login).send().await;
    assert_eq!(data(&sent, 200)["id"], maria.id);
    for action in ["disable", "enable", "reset"] {
        let answer = patch(format!("{one}/actions/{action}")).await;
        assert_eq!((&answer["id"], &answer["user_id"]), (&json!(factor), &json!(maria.id)));
    }
    for action in ["block", "unblock"] {
        assert_eq!(patch(format!("{USERS}/{id}/actions/{action}")).await["id"], maria.id);
    }
    let olga = world.create_person("olga").await;
    let path = format!("{USERS}/{}/authentication_factors", olga.id.to_uppercase());
    let made = world.post(&path).bearer(world.admin()).json(&json!({ "type": "SMS" }));
    assert_eq!(data(&made.send().await, 201)["user_id"], olga.id);
}

#[tokio::test]
async fn passcode_ids_are_read_in_any_letter_case_and_written_in_upper_case() {
    let world = World::new().await;
    let issued = world.retrieve(USER, PURPOSE).await;
    let answer = |valid: bool| format!(r#"{{"id":"{}","valid":{valid}}}"#, issued.id);
    let lower = issued.id.to_lowercase();
    world.status(&lower).send().await.is(200, &answer(true));
    world.invalidate(&lower).send().await.is(200, &answer(false));
    world.status(&issued.id).send().await.is(200, &answer(false));
}

#[tokio::test]
async fn commands_read_ids_in_any_letter_case() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let id = maria.id.to_uppercase();
    let done = async |command: Value| {
        let answer = world.run_command(command.clone()).await;
        assert!(answer.get("error").is_none(), "{command}: {answer}");
        answer
    };
    done(json!({ "command": "set_admin", "user_id": id, "is_admin": true })).await;
    done(json!({ "command": "set_factor", "user_id": id, "type": "SMS", "factor": "+380881234531" })).await;
    done(json!({ "command": "block_user", "user_id": id })).await;
    done(json!({ "command": "unblock_user", "user_id": id })).await;
    world.create_token(json!({ "user_id": id, "scopes": ["api"] })).await;
    done(json!({ "command": "end_tokens", "user_id": id })).await;
    let shown = done(json!({ "command": "show_user", "user_id": id })).await;
    assert_eq!((&shown["user_id"], &shown["is_admin"]), (&json!(maria.id), &json!(true)));
    let erased = done(json!({ "command": "erase_user", "user_id": id })).await;
    assert_eq!(erased["complete"], true);
    let none = world.run_command(json!({ "command": "show_user", "user_id": maria.id })).await;
    assert_eq!(none, json!({ "error": "no such user" }));
}

/// Creates a user of the demo domain with that number.
async fn create(world: &World, login: &str, number: u64) -> Value {
    let command = json!({
        "command": "create_user", "domain": world.id("/domain"), "email": format!("{login}@example.org"), "login": login,
        "name": login, "password": "correct-horse", "number": number,
    });
    world.run_command(command).await
}

#[tokio::test]
async fn a_user_number_is_unique_in_a_domain_and_permanent() {
    let world = World::new().await;
    let made = create(&world, "maria", u64::MAX).await;
    let id = made["user_id"].as_str().expect("an id").to_owned();
    assert_eq!(made["changed"], true);
    let again = create(&world, "maria", u64::MAX).await;
    assert_eq!(again, json!({ "user_id": id, "changed": false }));
    let taken = json!({ "error": "the number is taken in that domain" });
    assert_eq!(create(&world, "olga", u64::MAX).await, taken);
    assert_eq!(create(&world, "olga", 123).await, taken, "the demo user's");
    let other = create(&world, "maria", 7).await;
    assert!(other["error"].as_str().is_some_and(|words| words.contains("another number")), "{other}");
    let mut tried = json!({
        "command": "create_user", "domain": world.id("/domain"), "email": "olga@example.org", "login": "olga", "name": "olga",
        "password": "correct-horse", "number": 123, "dry_run": true,
    });
    assert_eq!(world.run_command(tried.clone()).await, taken);
    tried["number"] = 7.into();
    assert_eq!(world.run_command(tried).await, json!({ "user_id": null, "changed": true, "dry_run": true }));

    let shown = |number: u64| {
        let command = json!({ "command": "show_user", "domain": world.id("/domain"), "number": number });
        world.run_command(command)
    };
    assert_eq!(shown(u64::MAX).await["user_id"], id.as_str());
    assert_eq!(shown(u64::MAX).await["number"], u64::MAX);
    let demo = shown(123).await;
    assert_eq!((&demo["login"], &demo["user_id"]), (&json!("demo"), &world.ids["user"]["user_id"]));
    let admin = world.run_command(json!({ "command": "show_user", "user_id": world.id("/admin/user_id") })).await;
    assert_eq!(admin["number"], Value::Null);
}

#[tokio::test]
async fn one_of_parallel_requests_gets_a_user_number() {
    let world = World::new().await;
    let logins: Vec<_> = (0..8).map(|n| format!("user{n}")).collect();
    let made = futures_util::future::join_all(logins.iter().map(|login| create(&world, login, 7))).await;
    let winners: Vec<_> = made.iter().filter(|answer| answer["changed"] == true).collect();
    assert_eq!(winners.len(), 1, "{made:?}");
    let taken = json!({ "error": "the number is taken in that domain" });
    assert_eq!(made.iter().filter(|answer| **answer == taken).count(), 7, "{made:?}");
    let users = world.rows("UsersTable").await;
    let holders = users.iter().filter(|row| row["number"]["N"] == "7");
    assert_eq!(holders.count(), 1);
    let logins: Vec<_> = users.iter().map(|row| &row["login"]["S"]).collect();
    assert_eq!(logins.len(), 3, "nothing is left of the others: {logins:?}");
}

#[tokio::test]
async fn credentials_of_an_erased_user_are_invalid_for_the_next_user_of_the_number() {
    let world = World::new().await;
    let old = create(&world, "maria", 7).await["user_id"].as_str().expect("an id").to_owned();
    let token = world.create_token(json!({ "user_id": old, "scopes": ["api"] })).await;
    let pin = world.post("/api/v4/user/support_pin").private_token(&token).send().await;
    pin.ok(201);
    let link = world.reset_link("maria", "maria@example.org").await;
    // What an interrupted erasure, or a backup, may leave.
    let db = world.dynamodb();
    let mut rows = Vec::new();
    for table in
        ["TokensTable", "SupportPinsTable", "PasswordResetRequestsTable"].map(|name| format!("countersign-{name}"))
    {
        let found = db.scan().table_name(&table).send().await.expect("the engine answers");
        let of_user = |row: &HashMap<_, _>| row.get("user_id") == Some(&AttributeValue::S(old.clone()));
        let found = found.items.unwrap_or_default().into_iter().filter(of_user);
        rows.extend(found.map(|row| (table.clone(), row)));
    }
    assert_eq!(rows.len(), 3, "a token, a PIN and a link: {rows:?}");
    let erased = world.run_command(json!({ "command": "erase_user", "user_id": old })).await;
    assert_eq!(erased["complete"], true);
    for (table, row) in rows {
        let put = db.put_item().table_name(table).set_item(Some(row)).send().await;
        put.expect("written");
    }
    let next = create(&world, "olga", 7).await;
    assert_eq!(next["user_id"], old.as_str(), "the number leads to the same id");
    let own = world.get("/api/v4/user/support_pin").private_token(&token).send().await;
    assert_eq!(own.status, 401);
    let gone = NO_PIN;
    let shown = world.get("/api/v4/users/7/support_pin").private_token(world.admin());
    shown.send().await.is(404, gone);
    era_refused(&world.reset_password(&link, "another-horse").await, 404, NO_REQUEST);
    let fresh = world.create_token(json!({ "user_id": old, "scopes": ["api"] })).await;
    world.get("/api/v4/user/support_pin").private_token(&fresh).send().await.is(404, gone);
}
