//! Authorization: each route that needs a token, for every kind of caller (security.md R29, R35, R43, R44). The
//! requests are malformed where a route reads a body: a caller who gets that error is authorized, and nothing changes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{
    factors::person_awaiting_phone,
    login::token_in,
    people::Person,
    roles::{ROLES, TABLE},
    world::World,
};

/// The tokens of all roles, and the user that the routes name: one with a factor, whose login has sent all three codes.
async fn tokens(world: &World) -> (Vec<Option<String>>, Person) {
    let user = world.create_person_with("user", "+380881234531").await;
    let (other, boss) = (world.create_person("other").await, world.demo_admin());
    let of = async |id: &str, scopes: Value| world.create_token(json!({ "user_id": id, "scopes": scopes })).await;
    let all = || json!("all");
    let another = || json!(["app:authorize"]);
    let (login, _) = world.begin_login(&user).await;
    for _ in 0..2 {
        world.resend_code(&user, &login).await.ok(200);
    }
    let (_, empty) = person_awaiting_phone(world, "empty").await;
    let approval = token_in(&world.init_factor(&empty, "+380881234532").await);
    let expired = json!({ "user_id": boss.id, "scopes": "all", "lifetime_seconds": 1 });
    let expired = world.create_token(expired).await;
    let revoked = of(&boss.id, all()).await;
    world.run_command(json!({ "command": "revoke_token", "token": revoked })).await;
    let (_, blocked_id) = world.new_user_in(world.id("/domain"), "blocked", true).await;
    let blocked = of(&blocked_id, all()).await;
    world.run_command(json!({ "command": "block_user", "user_id": blocked_id })).await;
    let (_, elsewhere) = world.new_user_in("other.example", "boss", true).await;
    for (id, domain) in [("elsewhere", Some("other.example")), ("nowhere", None)] {
        let command = json!({ "command": "create_client", "client_id": id, "scopes": "all", "domain": domain });
        assert_eq!(world.run_command(command).await["client_id"], id);
    }
    let client = async |id: &str| {
        let token = json!({ "owner_client_id": id, "client_id": id, "scopes": "all" });
        world.create_token(token).await
    };
    world.advance(1).await;
    let tokens = vec![
        None,
        Some(of(&user.id, all()).await),
        Some(of(&other.id, all()).await),
        Some(of(&boss.id, all()).await),
        Some(of(&user.id, another()).await),
        Some(of(&boss.id, another()).await),
        Some(of(&elsewhere, all()).await),
        Some(login),
        Some(approval),
        Some(expired),
        Some(revoked),
        Some(blocked),
        Some(client("heatclinic").await),
        Some(client("elsewhere").await),
        Some(client("nowhere").await),
    ];
    (tokens, user)
}

#[tokio::test]
async fn every_route_is_open_to_its_intended_callers_only() {
    let world = World::new().await;
    let document = world.get("/openapi.json").send().await.ok(200);
    let rows: BTreeSet<_> = TABLE.iter().map(|row| row.route.to_owned()).collect();
    let mut wanted = protected(&document);
    // Its token may also be in the body.
    wanted.insert("PATCH /mithril/api/users/{user_id}/actions/create_otp".to_owned());
    assert_eq!(rows, wanted, "give each route that wants a token a row in the table");

    let (tokens, user) = tokens(&world).await;
    let pin = world.post("/api/v4/user/support_pin").bearer(tokens[1].as_ref().expect("a token")).send().await;
    pin.ok(201);
    let factor = world.factor_of(&user).await["id"].as_str().expect("an id").to_owned();
    let before = world.state().await;
    for row in TABLE {
        let (method, path) = row.route.split_once(' ').expect("a method and a path");
        let path = match path.contains("{user_id}") {
            true => path.replace("{user_id}", &user.id).replace("{id}", &factor),
            false => path.replace("{id}", &user.id),
        };
        let path = format!("{path}{}", row.query);
        assert_eq!(row.who.len(), ROLES.len(), "{}", row.route);
        for ((role, token), expected) in ROLES.iter().zip(&tokens).zip(row.who.chars()) {
            let mut ask = world.request(method, &path);
            if let Some((content_type, body)) = row.body {
                ask = ask.body(content_type, body);
            }
            if let Some(token) = token {
                ask = ask.bearer(token);
            }
            let got = ask.send().await;
            let status = match expected {
                'y' => row.passes,
                'u' => 401,
                'f' => 403,
                'm' => 404,
                other => panic!("{other}"),
            };
            assert_eq!(got.status, status, "{} for {role}: {got:?}", row.route);
        }
    }
    assert_eq!(world.state().await, before, "nothing was changed");
}

/// The routes that need a token, according to the description.
fn protected(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            let security = operation["security"].as_array();
            // An application's routes want a pair, which `verify_accounts` tries.
            let wanted = security.is_some_and(|ways| {
                !ways.is_empty() && !ways.contains(&json!({})) && ways.iter().all(|way| way["basic"].is_null())
            });
            if wanted {
                found.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    found
}
