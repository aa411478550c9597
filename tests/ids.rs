//! Ids as callers write them: UUIDs and ULIDs in any letter case, on every route and in every command (contracts.md §5).

use serde_json::{Value, json};

use crate::{
    mithril::{USERS, data},
    passcode::{PURPOSE, USER},
    world::World,
};

#[tokio::test]
async fn user_and_factor_ids_are_read_in_any_letter_case() {
    let world = World::new().await;
    let maria = world.person_with("maria", "+380881234531").await;
    let id = maria.id.to_uppercase();
    let list = format!("{USERS}/{id}/authentication_factors");
    let listed = world.get(&list).bearer(world.admin()).send().await.ok(200)["data"].take();
    let factor = listed[0]["id"].as_str().expect("a factor").to_owned();
    assert_eq!(listed[0]["user_id"], maria.id);
    let one = format!("{list}/{}", factor.to_uppercase());
    let shown = world.get(&one).bearer(world.admin()).send().await;
    assert_eq!(data(&shown, 200)["id"], factor.as_str());
    let patch = async |path: String| {
        let got = world.ask("PATCH", &path).bearer(world.admin()).send().await;
        data(&got, 200)
    };
    let (login, _) = world.waiting(&maria).await;
    let sent = world
        .ask("PATCH", &format!("{USERS}/{id}/actions/create_otp"))
        .bearer(&login)
        .send()
        .await;
    assert_eq!(data(&sent, 200)["id"], maria.id);
    for action in ["disable", "enable", "reset"] {
        let answer = patch(format!("{one}/actions/{action}")).await;
        assert_eq!((&answer["id"], &answer["user_id"]), (&json!(factor), &json!(maria.id)));
    }
    for action in ["block", "unblock"] {
        assert_eq!(patch(format!("{USERS}/{id}/actions/{action}")).await["id"], maria.id);
    }
    let olga = world.person("olga").await;
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
    let maria = world.person("maria").await;
    let id = maria.id.to_uppercase();
    let done = async |command: Value| {
        let answer = world.operator(command.clone()).await;
        assert!(answer.get("error").is_none(), "{command}: {answer}");
        answer
    };
    done(json!({ "command": "set_admin", "user_id": id, "is_admin": true })).await;
    done(json!({ "command": "set_factor", "user_id": id, "type": "SMS", "factor": "+380881234531" })).await;
    done(json!({ "command": "block_user", "user_id": id })).await;
    done(json!({ "command": "unblock_user", "user_id": id })).await;
    world.token(json!({ "user_id": id, "scopes": ["api"] })).await;
    done(json!({ "command": "end_tokens", "user_id": id })).await;
    let shown = done(json!({ "command": "show_user", "user_id": id })).await;
    assert_eq!(
        (&shown["user_id"], &shown["is_admin"]),
        (&json!(maria.id), &json!(true))
    );
    let erased = done(json!({ "command": "erase_user", "user_id": id })).await;
    assert_eq!(erased["complete"], true);
    let none = world
        .operator(json!({ "command": "show_user", "user_id": maria.id }))
        .await;
    assert_eq!(none, json!({ "error": "no such user" }));
}
