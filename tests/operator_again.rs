//! Dry runs change nothing and have the same response as the command; repeated commands are idempotent.

use serde_json::{Value, json};

use crate::support::{
    factors::person_awaiting_phone,
    messages::suppress,
    mithril::token_invalid_type,
    operator::{refuses, tables_and_keys},
    people::{NEW_PHONE, Person},
    world::World,
};

/// The effect of a repeated command.
#[derive(Clone, Copy, PartialEq)]
enum Again {
    /// None: the state is already as requested.
    Nothing,
    /// It creates another one.
    Another,
}

/// Makes a dry run, runs the command, repeats both; returns the first response.
async fn check(world: &World, command: Value, again: Again) -> Value {
    let mut dry = command.clone();
    dry["dry_run"] = true.into();
    let names = |answer: &Value| {
        let answer = answer.as_object().unwrap_or_else(|| panic!("{command}: {answer}"));
        let names = answer.keys().filter(|name| *name != "dry_run");
        names.cloned().collect::<Vec<_>>()
    };

    let before = tables_and_keys(world).await;
    let tried = world.run_command(dry.clone()).await;
    assert_eq!(tables_and_keys(world).await, before, "{command} was only tried");
    assert_eq!((&tried["dry_run"], &tried["changed"]), (&json!(true), &json!(true)), "{command}: {tried}");
    let first = world.run_command(command.clone()).await;
    assert_eq!((&first["dry_run"], &first["changed"]), (&Value::Null, &json!(true)), "{command}: {first}");
    assert_eq!(names(&tried), names(&first), "{command}");
    let done = tables_and_keys(world).await;
    assert_ne!(done, before, "{command} did nothing");

    let changes = again == Again::Another;
    for command in [dry, command.clone()] {
        let answer = world.run_command(command.clone()).await;
        assert_eq!(answer["changed"], changes, "{command}: {answer}");
        assert_eq!(names(&answer), names(&first), "{command}");
        let is_try = command["dry_run"] == true;
        assert_eq!(tables_and_keys(world).await == done, is_try || !changes, "{command}");
    }
    first
}

#[tokio::test]
async fn commands_are_idempotent() {
    let world = World::new().await;
    let user = world.id("/user/user_id").to_owned();
    let token = world.create_token(json!({ "user_id": user, "scopes": ["api"] })).await;
    suppress(&world, "lost@example.org").await;
    let ask = async |command: Value| check(&world, command, Again::Nothing).await;
    let domain = "d.example";

    ask(json!({ "command": "set_domain", "domain": domain, "self_register_allowed": true })).await;
    ask(json!({ "command": "set_domain", "domain": domain, "locale": "uk" })).await;
    let client = ask(json!({ "command": "create_client", "client_id": "new", "scopes": ["passcode", "api"] })).await;
    assert_eq!(client["client_secret"].as_str().map(str::len), Some(43), "{client}");
    let set = ask(json!({ "command": "set_client", "client_id": "new", "domain": domain, "scopes": ["api"] })).await;
    assert_eq!(
        set,
        json!({
            "client_id": "new", "domain": domain, "scopes": ["api"], "grants": ["client_credentials"], "changed": true,
        })
    );
    ask(json!({ "command": "set_client", "client_id": "new", "grants": ["password"] })).await;
    ask(json!({
        "command": "create_user", "domain": domain, "email": "Maria@d.example", "login": "maria", "name": "Maria",
        "password": "correct-horse",
    }))
    .await;
    ask(json!({ "command": "set_admin", "user_id": user, "is_admin": true })).await;
    ask(json!({ "command": "set_admin", "user_id": user, "is_admin": false })).await;
    let admin = world.id("/admin/user_id");
    ask(json!({ "command": "set_factor", "user_id": admin, "type": "SMS", "factor": "+380881234531" })).await;
    ask(json!({ "command": "revoke_token", "token": token })).await;
    let done = ask(json!({ "command": "block_user", "user_id": user })).await;
    assert_eq!(done, json!({ "done": true, "changed": true }));
    ask(json!({ "command": "unblock_user", "user_id": user })).await;
    ask(json!({ "command": "lift_suppression", "email": "Lost@Example.org" })).await;
}

#[tokio::test]
async fn set_factor_fills_an_empty_factor_but_not_a_set_or_disabled_one() {
    let world = World::new().await;
    let (maria, login) = person_awaiting_phone(&world, "maria").await;
    let set = |phone: &str| json!({ "command": "set_factor", "user_id": maria.id, "type": "SMS", "factor": phone });
    let before = world.factor_of(&maria).await;
    let done = check(&world, set(NEW_PHONE), Again::Nothing).await;
    assert_eq!(done, json!({ "factor_id": before["id"], "changed": true }));
    let factor = world.factor_of(&maria).await;
    let expected = json!({
        "id": before["id"], "type": "SMS", "factor": "+38088*****99", "is_active": true, "user_id": maria.id,
        "inserted_at": before["inserted_at"], "updated_at": factor["updated_at"],
    });
    assert_eq!(factor, expected);
    // The login that could set the first phone no longer can; the next one sends its code there.
    token_invalid_type(&world.init_factor(&login, "+380881234577").await);
    world.keep_phone_out_of_logs(NEW_PHONE);
    let person = Person {
        phone: Some(NEW_PHONE.into()),
        ..maria.clone()
    };
    let (login, code) = world.begin_login(&person).await;
    world.submit_code(&login, &code).await.ok(201);

    let words = refuses(&world, set("+380881234577")).await;
    assert_eq!(words, "the user has another factor of that type");
    world.switch_factor_as_admin(&maria, "disable").await;
    for phone in [NEW_PHONE, "+380881234577"] {
        let words = refuses(&world, set(phone)).await;
        assert_eq!(words, "the user has a disabled factor of that type");
    }
    world.switch_factor_as_admin(&maria, "enable").await;
    world.switch_factor_as_admin(&maria, "reset").await;
    check(&world, set("+380881234577"), Again::Nothing).await;
    assert_eq!(world.factor_of(&maria).await["factor"], "+38088*****77");
}

#[tokio::test]
async fn commands_that_show_a_secret_create_a_new_one_each_time() {
    let world = World::new().await;
    let user = world.id("/user/user_id").to_owned();
    let secret = json!({ "command": "set_client_secret", "client_id": "heatclinic" });
    check(&world, secret, Again::Another).await;
    let token = json!({
        "command": "create_token", "user_id": user, "client_id": "heatclinic", "scopes": ["api"], "lifetime_seconds": 60,
    });
    check(&world, token, Again::Another).await;
    for owner in [json!({ "user_id": user }), json!({ "client_id": "heatclinic" })] {
        let mut command = owner;
        command["command"] = "end_tokens".into();
        check(&world, command, Again::Another).await;
    }
}

#[tokio::test]
async fn a_new_client_secret_revokes_the_previous_one() {
    let world = World::new().await;
    let grant = |secret: &str| {
        json!({
            "grant_type": "client_credentials", "client_id": "heatclinic", "scope": "passcode", "client_secret": secret,
        })
    };
    let before = world.id("/client/client_secret").to_owned();
    world.request_token(grant(&before)).await.ok(201);
    let answer = world.run_command(json!({ "command": "set_client_secret", "client_id": "heatclinic" })).await;
    world.request_token(grant(&before)).await.ok(401);
    world.request_token(grant(answer["client_secret"].as_str().expect("a secret"))).await.ok(201);
}

#[tokio::test]
async fn a_create_command_is_refused_if_a_different_object_exists() {
    let world = World::new().await;
    let maria = |changes: Value| {
        let mut command = json!({
            "command": "create_user", "domain": "d.example", "email": "maria@d.example", "login": "maria", "name": "Maria",
            "password": "correct-horse",
        });
        for (name, value) in changes.as_object().expect("changes") {
            command[name] = value.clone();
        }
        command
    };
    let made = world.run_command(maria(json!({}))).await;
    let again = world.run_command(maria(json!({ "login": "MARIA", "password": "another-horse" }))).await;
    assert_eq!(again, json!({ "user_id": made["user_id"], "changed": false }));
    let taken = "the login is taken in that domain";
    for (changes, words) in [
        (json!({ "email": "other@d.example" }), taken),
        (json!({ "login": "other" }), "the email is taken in that domain"),
        (json!({ "is_admin": true }), "there is such a user, with another is_admin: set_admin changes that"),
        (json!({ "name": "Mary" }), "there is such a user, with another name"),
    ] {
        assert_eq!(refuses(&world, maria(changes)).await, words);
    }
    world.run_command(maria(json!({ "email": "b@d.example", "login": "b" }))).await;
    assert_eq!(refuses(&world, maria(json!({ "email": "b@d.example" }))).await, taken, "two people");

    let client = json!({ "command": "create_client", "client_id": "new", "scopes": ["api", "passcode"] });
    world.run_command(client.clone()).await;
    let mut other = client.clone();
    other["scopes"] = json!(["passcode", "api"]);
    let same = world.run_command(other.clone()).await;
    assert_eq!(same, json!({ "client_id": "new", "client_secret": null, "changed": false }));
    other["scopes"] = json!(["passcode"]);
    refuses(&world, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_parallel_identical_commands_creates_the_object() {
    let world = World::new().await;
    let user = json!({
        "command": "create_user", "domain": "d.example", "email": "maria@d.example", "login": "maria", "name": "Maria",
        "password": "correct-horse",
    });
    let client = json!({ "command": "create_client", "client_id": "new", "scopes": ["api"] });
    for command in [user, client] {
        let answers = futures_util::future::join_all((0..8).map(|_| world.run_command(command.clone()))).await;
        let made = answers.iter().filter(|answer| answer["changed"] == true).count();
        assert!(made == 1 && answers.iter().all(|answer| answer["error"].is_null()), "{answers:?}");
    }
}

#[tokio::test]
async fn a_user_is_shown_by_id_login_address_or_number() {
    let world = World::new().await;
    let (user, email) = (world.id("/user/user_id").to_owned(), world.id("/user/email").to_owned());
    let by_id = world.run_command(json!({ "command": "show_user", "user_id": user })).await;
    for (name, value) in [
        ("login", json!("Demo")),
        ("email", json!(email)),
        ("number", json!(123)),
    ] {
        let mut command = json!({ "command": "show_user", "domain": world.id("/domain") });
        command[name] = value;
        assert_eq!(world.run_command(command).await, by_id);
    }
    let factor = &by_id["factors"][0];
    let expected = json!({
        "user_id": user, "number": 123, "domain": "pbx.era-platform.ru", "login": "demo", "email": "d***@pbx.era-platform.ru",
        "is_admin": false, "is_blocked": false, "block": null,
        "factors": [{
            "factor_id": factor["factor_id"], "type": "SMS", "factor": "+38088*****30", "is_active": true,
        }],
        "inserted_at": by_id["inserted_at"],
    });
    assert_eq!(by_id, expected);
    world.run_command(json!({ "command": "block_user", "user_id": user })).await;
    let blocked = world.run_command(json!({ "command": "show_user", "user_id": user })).await;
    assert_eq!(
        (&blocked["is_blocked"], &blocked["block"]["why"], &blocked["block"]["until"]),
        (&json!(true), &json!("decision"), &Value::Null)
    );
    let token = json!({
        "command": "create_token", "user_id": user, "client_id": "heatclinic", "scopes": ["api"], "lifetime_seconds": 60,
    });
    assert_eq!(refuses(&world, token).await, "the user is blocked");
}

#[tokio::test]
async fn suppressions_are_listed_page_by_page_and_deleted() {
    let world = World::new().await;
    let addresses = ["a@example.org", "b@example.org", "c@example.org"];
    for address in addresses {
        suppress(&world, address).await;
    }
    let (mut listed, mut after) = (Vec::new(), Value::Null);
    for _ in 0..addresses.len() + 1 {
        let command = json!({ "command": "list_suppressions", "limit": 1, "after": after });
        let page = world.run_command(command).await;
        listed.extend(page["suppressions"].as_array().expect("a list").clone());
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!((listed.len(), &after), (3, &Value::Null));
    for address in addresses {
        let answer = world.run_command(json!({ "command": "suppression", "email": address })).await;
        let found = &answer["suppression"];
        assert!(listed.contains(found), "{address}: {found}");
        assert_eq!(found["reason"], "bounce");
    }
    world.run_command(json!({ "command": "lift_suppression", "email": addresses[1] })).await;
    let answer = world.run_command(json!({ "command": "suppression", "email": addresses[1] })).await;
    assert_eq!(answer, json!({ "suppression": null }));
    let page = world.run_command(json!({ "command": "list_suppressions" })).await;
    assert_eq!(page["suppressions"].as_array().map(Vec::len), Some(2), "{page}");
    assert!(!page.to_string().contains('@'), "rows hold digests: {page}");
}
