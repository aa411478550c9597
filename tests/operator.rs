//! The operator's commands, as `aws lambda invoke` sends them. The demo tenant is made by the same.

use serde_json::{Value, json};

use crate::world::World;

async fn refuses(world: &World, command: Value) {
    let before = world.all_rows().await;
    let answer = world.operator(command.clone()).await;
    assert!(
        answer["error"].as_str().is_some_and(|words| !words.is_empty()),
        "{command}: {answer}"
    );
    assert_eq!(answer.as_object().expect("an object").len(), 1, "{answer}");
    assert_eq!(
        world.all_rows().await,
        before,
        "{command} was refused and changed something"
    );
}

#[tokio::test]
async fn commands_that_make_no_sense_change_nothing() {
    let world = World::new().await;
    let user = world.id("/user/user_id").to_owned();
    let new_user = |field: &str, value: Value| {
        let mut command = json!({
            "command": "create_user", "domain": "d.example", "email": "a@d.example", "login": "a", "name": "A",
            "password": "correct-horse",
        });
        command[field] = value;
        command
    };
    let new_token = |field: &str, value: Value| {
        let mut command = json!({
            "command": "create_token", "user_id": user, "client_id": "heatclinic", "scopes": ["api"],
            "lifetime_seconds": 60,
        });
        command[field] = value;
        command
    };
    for command in [
        json!({}),
        json!({ "command": "drop_tables" }),
        json!({ "command": "block_user" }),
        json!({ "command": "block_user", "user_id": "nobody" }),
        json!({ "command": "block_user", "user_id": "00000000-0000-4000-8000-000000000000" }),
        json!({ "command": "unblock_user", "user_id": user }),
        json!({ "command": "block_user", "user_id": user, "reason": "an unknown field" }),
        json!({ "command": "end_tokens" }),
        json!({ "command": "end_tokens", "user_id": user, "client_id": "heatclinic" }),
        json!({ "command": "end_tokens", "client_id": "nobody" }),
        json!({ "command": "revoke_token", "token": "glpat-XXXXXXXXXXXXXXXXX" }),
        json!({ "command": "create_client", "client_id": "heatclinic", "scopes": "all" }),
        json!({ "command": "create_client", "client_id": "a b", "scopes": "all" }),
        json!({ "command": "create_client", "client_id": "new", "scopes": ["everything"] }),
        new_user("email", json!("nowhere")),
        new_user("login", json!("")),
        new_user("name", json!("a\nb")),
        new_user("password", json!("short")),
        new_user("password", json!("x".repeat(129))),
        new_user("is_god", json!(true)),
        new_token("client_id", json!("nobody")),
        new_token("user_id", json!("00000000-0000-4000-8000-000000000000")),
        new_token("owner_client_id", json!("heatclinic")),
        new_token("scopes", json!(["everything"])),
        new_token("lifetime_seconds", json!(0)),
        new_token("lifetime_seconds", json!(400 * 86_400)),
        new_token("lifetime_seconds", json!("long")),
    ] {
        refuses(&world, command).await;
    }
}

#[tokio::test]
async fn a_token_has_no_scope_that_its_client_may_not_give() {
    let world = World::new().await;
    world
        .operator(json!({ "command": "create_client", "client_id": "narrow", "scopes": ["passcode"] }))
        .await;
    let user = world.id("/user/user_id").to_owned();
    let token = |scopes: Value| {
        json!({
            "command": "create_token", "user_id": user, "client_id": "narrow", "scopes": scopes,
            "lifetime_seconds": 60,
        })
    };
    refuses(&world, token(json!(["api"]))).await;
    refuses(&world, token(json!(["passcode", "api"]))).await;
    let all = world.operator(token(json!("all"))).await;
    let all = all["token"].as_str().expect("a token");
    world.post("/api/v4/user/support_pin").bearer(all).send().await.ok(403);
    world
        .get("/passcode/status?client_id=narrow&passcode_id=x")
        .bearer(all)
        .send()
        .await
        .ok(404);
}

#[tokio::test]
async fn the_log_names_the_command_and_no_secret() {
    let world = World::new().await;
    world.keep_out_of_logs("correct-horse");
    world.new_user("other").await;
    let lines = world.cloud().logs();
    let said = |command: &str| {
        lines
            .iter()
            .any(|line| line.contains(&format!(r#""command":"{command}""#)))
    };
    assert!(
        said("create_user") && said("create_token") && said("create_client"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn the_log_says_about_whom() {
    let world = World::new().await;
    let user = world.id("/user/user_id").to_owned();
    world
        .operator(json!({ "command": "block_user", "user_id": user }))
        .await;
    world
        .operator(json!({ "command": "block_user", "user_id": user }))
        .await;
    let blocks: Vec<Value> = world
        .cloud()
        .logs()
        .iter()
        .filter_map(|line| serde_json::from_str(line.split_once(" | ")?.1).ok())
        .filter(|line: &Value| line["command"] == "block_user")
        .collect();
    let outcomes: Vec<_> = blocks.iter().map(|line| line["outcome"].clone()).collect();
    assert_eq!(outcomes, ["done", "refused"]);
    for line in blocks {
        assert_eq!(line["subject"], format!("user:{user}"));
        assert!(line["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{line}");
    }
}

#[tokio::test]
async fn a_domain_is_answered_as_it_is_stored_and_refused_in_words() {
    let world = World::new().await;
    let domain = json!({
        "domain": "shop.example", "self_register_allowed": true,
        "self_register_template": { "opts": { "plan": "free", "seats": 1, "trial": true } },
        "password": { "alphabet": null, "min": 15, "max": 64, "refuse_common": false },
        "sender": "hello@mail.pbx.era-platform.ru", "sender_name": "Магазин", "reply_to": "help@shop.example",
        "locale": "uk",
    });
    let mut command = domain.clone();
    command["command"] = "set_domain".into();
    assert_eq!(world.operator(command.clone()).await, domain);
    for (field, value, words) in [
        (
            "domain",
            json!("http://x.org"),
            "domain holds symbols that it may not, or has not its form",
        ),
        (
            "sender",
            json!("no-reply@other.example"),
            "sender must be an address at pbx.era-platform.ru or below it",
        ),
        (
            "sender",
            json!("a@evilpbx.era-platform.ru"),
            "sender must be an address at pbx.era-platform.ru or below it",
        ),
        ("sender_name", json!(""), "sender_name is empty"),
        ("locale", json!("english!"), "locale is a language tag such as en"),
        (
            "self_register_template",
            json!({ "opts": { "a": 1.5 } }),
            "not a command: an option is true, false, a whole number or a text",
        ),
    ] {
        let mut wrong = command.clone();
        wrong[field] = value;
        let answer = world.operator(wrong).await;
        assert_eq!(answer["error"], words, "{field}");
    }
    assert_eq!(world.rows("DomainsTable").await.len(), 2);
}
