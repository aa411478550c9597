//! The operator's commands, as `aws lambda invoke` sends them. The demo tenant is created by the same commands.

use serde_json::{Value, json};

use crate::support::{
    era::CHECK_MAIL,
    operator::{refuses, tables_and_keys},
    people::DOMAIN,
    world::World,
};

#[tokio::test]
async fn invalid_commands_change_nothing() {
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
        json!({ "command": "unblock_user", "user_id": "00000000-0000-4000-8000-000000000000" }),
        json!({ "command": "block_user", "user_id": user, "reason": "an unknown field" }),
        json!({ "command": "end_tokens" }),
        json!({ "command": "end_tokens", "user_id": user, "client_id": "heatclinic" }),
        json!({ "command": "end_tokens", "client_id": "nobody" }),
        json!({ "command": "revoke_token", "token": "glpat-XXXXXXXXXXXXXXXXX" }),
        json!({ "command": "block_user", "user_id": user, "dry_run": "yes" }),
        json!({ "command": "set_admin", "user_id": user }),
        json!({ "command": "set_admin", "user_id": "00000000-0000-4000-8000-000000000000", "is_admin": true }),
        json!({ "command": "set_factor", "user_id": user, "type": "SMS", "factor": "0881234530" }),
        json!({ "command": "set_factor", "user_id": user, "type": "SMS", "factor": "+3800881234530" }),
        json!({ "command": "set_factor", "user_id": user, "type": "TOTP", "factor": "+380881234530" }),
        json!({ "command": "set_factor", "user_id": user, "type": "SMS", "factor": "+380881234531" }),
        json!({ "command": "show_user" }),
        json!({ "command": "show_user", "domain": world.id("/domain") }),
        json!({ "command": "show_user", "domain": world.id("/domain"), "login": "nobody" }),
        json!({ "command": "show_user", "domain": world.id("/domain"), "login": "demo", "email": "demo@d.example" }),
        json!({ "command": "show_user", "user_id": user, "domain": world.id("/domain"), "login": "demo" }),
        json!({ "command": "show_user", "number": 123 }),
        json!({ "command": "show_user", "domain": world.id("/domain"), "number": 124 }),
        json!({ "command": "show_user", "domain": "d.example", "number": 123 }),
        json!({ "command": "show_user", "domain": world.id("/domain"), "login": "demo", "number": 123 }),
        json!({ "command": "show_user", "user_id": user, "number": 123 }),
        json!({ "command": "list_suppressions", "limit": 0 }),
        json!({ "command": "list_suppressions", "limit": 1001 }),
        json!({ "command": "list_suppressions", "after": "?" }),
        json!({ "command": "suppression", "email": "nowhere" }),
        json!({ "command": "lift_suppression", "email": "nowhere" }),
        json!({ "command": "erase_user", "user_id": "nobody" }),
        json!({ "command": "erase_user", "user_id": user, "within_seconds": 41 }),
        json!({ "command": "erase_user", "user_id": user, "continue": "0 UsersTable " }),
        json!({ "command": "erase_user", "user_id": user, "continue": "0 TokensTable  " }),
        json!({ "command": "set_client", "client_id": "nobody", "scopes": "all" }),
        json!({ "command": "set_client", "client_id": "heatclinic", "grants": ["implicit"] }),
        json!({ "command": "set_client", "client_id": "heatclinic", "scopes": ["everything"] }),
        json!({ "command": "set_client_secret", "client_id": "nobody" }),
        json!({ "command": "create_client", "client_id": "heatclinic", "scopes": "all" }),
        json!({ "command": "create_client", "client_id": "new", "scopes": "all", "grants": ["password"] }),
        json!({ "command": "create_client", "client_id": "a b", "scopes": "all" }),
        json!({ "command": "create_client", "client_id": "new", "scopes": ["everything"] }),
        new_user("email", json!("nowhere")),
        new_user("login", json!("")),
        new_user("name", json!("a\nb")),
        new_user("password", json!("short")),
        new_user("password", json!("x".repeat(129))),
        new_user("is_god", json!(true)),
        new_user("number", json!(0)),
        new_user("number", json!(-1)),
        new_user("number", json!(1.5)),
        new_user("number", json!("123")),
        new_user("number", serde_json::from_str("18446744073709551616").expect("a number")),
        new_user("domain", json!("")),
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
async fn a_token_has_only_scopes_that_its_client_may_grant() {
    let world = World::new().await;
    world
        .run_command(json!({ "command": "create_client", "client_id": "narrow", "scopes": ["passcode"] }))
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
    let all = world.run_command(token(json!("all"))).await;
    let all = all["token"].as_str().expect("a token");
    world.post("/api/v4/user/support_pin").bearer(all).send().await.ok(403);
    world.get("/passcode/status?client_id=narrow&passcode_id=x").bearer(all).send().await.ok(404);
}

#[tokio::test]
async fn the_log_names_the_command_and_no_secret() {
    let world = World::new().await;
    world.keep_out_of_logs("correct-horse");
    world.new_user("other").await;
    let lines = world.cloud().logs();
    let said = |command: &str| lines.iter().any(|line| line.contains(&format!(r#""command":"{command}""#)));
    assert!(said("create_user") && said("create_token") && said("create_client"), "{lines:?}");
}

#[tokio::test]
async fn the_log_names_the_subject_of_a_command() {
    let world = World::new().await;
    let user = world.id("/user/user_id").to_owned();
    world.run_command(json!({ "command": "block_user", "user_id": user })).await;
    world.run_command(json!({ "command": "block_user", "user_id": user })).await;
    let blocks: Vec<Value> = world
        .cloud()
        .logs()
        .iter()
        .filter_map(|line| serde_json::from_str(line.split_once(" | ")?.1).ok())
        .filter(|line: &Value| line["command"] == "block_user")
        .collect();
    let outcomes: Vec<_> = blocks.iter().map(|line| line["outcome"].clone()).collect();
    assert_eq!(outcomes, ["done", "done"]);
    let changed: Vec<_> = blocks.iter().map(|line| line["changed"].clone()).collect();
    assert_eq!(changed, [true, false]);
    for line in blocks {
        assert_eq!(line["subject"], format!("user:{user}"));
        assert!(line["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{line}");
    }
}

#[tokio::test]
async fn a_sender_must_be_listed_by_the_deployment() {
    let world = World::with(&[("MailSenders", "hello@pbx.era-platform.ru,*@mail.pbx.era-platform.ru")]).await;
    let set = async |sender: &str| {
        let command =
            json!({ "command": "set_domain", "domain": DOMAIN, "sender": sender, "self_register_allowed": true });
        world.run_command(command).await
    };
    for sender in [
        "ceo@pbx.era-platform.ru",
        "Hello@pbx.era-platform.ru",
        "a@other.pbx.era-platform.ru",
    ] {
        let answer = set(sender).await;
        assert_eq!(answer["error"], "sender must be one that the parameter MailSenders lists", "{sender}");
    }
    // Its role allows the function to send from each of these.
    for (n, sender) in [
        "hello@pbx.era-platform.ru",
        "any@mail.pbx.era-platform.ru",
        "no-reply@pbx.era-platform.ru",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(set(sender).await["sender"], sender);
        let email = format!("login{n}@example.org");
        world.register(&format!("login{n}"), &email).send().await.is(200, CHECK_MAIL);
        let mails = world.get("/_local/messages?full=true").send_local().await;
        let mail = mails.as_array().and_then(|mails| mails.last()).cloned().unwrap_or_default();
        assert_eq!((&mail["from"], &mail["to"]), (&json!(sender), &json!(email)));
    }
}

#[tokio::test]
async fn a_domain_is_returned_as_stored_and_errors_are_explained() {
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
    let mut answer = domain.clone();
    answer["changed"] = true.into();
    assert_eq!(world.run_command(command.clone()).await, answer);
    for (field, value, words) in [
        ("domain", json!("http://x.org"), "domain holds symbols that it may not, or has not its form"),
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
        let answer = world.run_command(wrong).await;
        assert_eq!(answer["error"], words, "{field}");
    }
    assert_eq!(world.rows("DomainsTable").await.len(), 2);
}

/// The response to a command sent verbatim.
async fn raw(world: &World, body: &str) -> Value {
    let request = world.post("/2015-03-31/functions/operator/invocations");
    request.body("application/json", body).send_local().await
}

#[tokio::test]
async fn json_that_common_parsers_accept_is_refused() {
    let world = World::new().await;
    let user = world.id("/user/user_id").to_owned();
    let before = tables_and_keys(&world).await;
    for (body, words) in [
        (
            format!(r#"{{"command":"block_user","user_id":"{user}","user_id":"{user}"}}"#),
            r#"not a command: "user_id" occurs twice"#,
        ),
        (
            format!(r#"{{"command":"unblock_user","command":"block_user","user_id":"{user}"}}"#),
            r#"not a command: "command" occurs twice"#,
        ),
        (
            format!(r#"{{"command":"block_user","user_id":"{user}","dry_run":true,"dry_run":false}}"#),
            r#"not a command: "dry_run" occurs twice"#,
        ),
        (
            r#"{"command":"set_domain","domain":"d.example","password":{"min":8,"min":9}}"#.to_owned(),
            r#"not a command: "min" occurs twice"#,
        ),
        (
            r#"{"command":"set_domain","domain":"d.example","self_register_template":{"opts":{"a":1,"a":2}}}"#
                .to_owned(),
            r#"not a command: "a" occurs twice"#,
        ),
        (
            r#"{"command":"set_domain","domain":"d.example","password":[null,8,64,true]}"#.to_owned(),
            "not a command: invalid type: sequence, expected a map",
        ),
        (format!(r#"["block_user","{user}"]"#), "not a command: it is not a JSON object"),
        (r#""block_user""#.to_owned(), "not a command: it is not a JSON object"),
        ("null".to_owned(), "not a command: it is not a JSON object"),
    ] {
        assert_eq!(raw(&world, &body).await, json!({ "error": words }), "{body}");
    }
    assert_eq!(tables_and_keys(&world).await, before);
}

/// One valid command of each name.
fn commands(user: &str, token: &str, account: &str) -> Vec<Value> {
    vec![
        json!({ "command": "set_domain", "domain": "d.example" }),
        json!({ "command": "create_client", "client_id": "new", "scopes": [] }),
        json!({ "command": "set_client", "client_id": "heatclinic", "scopes": ["api"] }),
        json!({ "command": "set_client_secret", "client_id": "heatclinic" }),
        json!({
            "command": "create_user", "domain": "d.example", "email": "a@d.example", "login": "a", "name": "A",
            "password": "correct-horse",
        }),
        json!({ "command": "show_user", "user_id": user }),
        json!({ "command": "set_admin", "user_id": user, "is_admin": true }),
        json!({ "command": "set_factor", "user_id": user, "type": "SMS", "factor": "+380881234530" }),
        json!({ "command": "reset_factors", "user_id": user }),
        json!({ "command": "block_user", "user_id": user }),
        json!({ "command": "unblock_user", "user_id": user }),
        json!({ "command": "erase_user", "user_id": user }),
        json!({
            "command": "create_token", "user_id": user, "client_id": "heatclinic", "scopes": [], "lifetime_seconds": 60,
        }),
        json!({ "command": "end_tokens", "user_id": user }),
        json!({ "command": "revoke_token", "token": token }),
        json!({ "command": "list_devices", "user_id": user }),
        json!({ "command": "end_devices", "user_id": user, "device_id": null }),
        json!({ "command": "list_suppressions" }),
        json!({ "command": "suppression", "email": "a@d.example" }),
        json!({ "command": "lift_suppression", "email": "a@d.example" }),
        json!({ "command": "create_verify_account", "domain": "d.example", "name": "Shop" }),
        json!({ "command": "create_verify_key", "account_sid": account, "name": "CI" }),
        json!({ "command": "set_verify_auth_token", "account_sid": account }),
        json!({ "command": "end_verify_account", "account_sid": account }),
        json!({ "command": "end_verify_key", "key_sid": format!("SK{}", "0".repeat(32)) }),
        json!({ "command": "rotate_key", "keys": "otp", "new_id": 2 }),
        json!({ "command": "retire_key", "keys": "otp", "id": 9 }),
    ]
}

#[tokio::test]
async fn help_lists_every_command_and_each_accepts_only_its_own_fields() {
    let world = World::new().await;
    let user = world.id("/user/user_id").to_owned();
    let all = commands(&user, world.user(), world.id("/verify/account_sid"));
    let listed: Vec<_> = all.iter().map(|one| format!("`{}`", one["command"].as_str().expect("a name"))).collect();
    for (command, name) in [
        (json!({ "command": "help" }), "help"),
        (json!({}), ""),
        (json!({ "dry_run": true }), ""),
        (json!({ "user_id": user }), ""),
    ] {
        let words = refuses(&world, command).await;
        let expected = format!("not a command: unknown variant `{name}`, expected one of {}", listed.join(", "));
        assert_eq!(words, expected.as_str());
    }
    let before = tables_and_keys(&world).await;
    for mut command in all {
        command["dry_run"] = true.into();
        let understood = world.run_command(command.clone()).await;
        assert!(understood["error"].is_null() && understood["dry_run"] == true, "{command}: {understood}");
        command["a_field_that_nobody_knows"] = true.into();
        let words = refuses(&world, command.clone()).await;
        let words = words.as_str().expect("words");
        assert!(words.contains("unknown field `a_field_that_nobody_knows`"), "{command}: {words}");
    }
    assert_eq!(tables_and_keys(&world).await, before, "nothing is done for a try");
}
