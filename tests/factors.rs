//! Second factors: creating, listing and showing them (docs/contract.md, Second factors and tokens; docs/security.md
//! R29, R42, R44).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    mithril::{
        USERS, data, fields_refused, forbidden, not_found, refused, scope_too_small, token_expired, user_blocked,
    },
    people::{PHONE, Person, UNKNOWN_ID},
    requests::Request,
    words::{BLANK, FACTOR_EXISTS, INVALID, MALFORMED_REQUEST, UNEXPECTED_FIELD},
    world::World,
};

/// A request to create a factor of this user.
fn create<'a>(world: &'a World, person: &Person, token: &str) -> Request<'a> {
    world.post(&person.factors_path()).bearer(token).json(&json!({ "type": "SMS" }))
}

#[tokio::test]
async fn a_factor_is_created_active_and_empty() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let body = json!({ "type": "SMS", "factor": "+380881234599", "user_id": maria.id });
    let got = world.post(&maria.factors_path()).bearer(world.admin()).json(&body).send().await;
    let made = data(&got, 201);
    let (id, at) = (made["id"].as_str().expect("an id"), &made["inserted_at"]);
    let user = &made["user"];
    let expected = json!({
        "id": id, "type": "SMS", "factor": null, "is_active": true, "user_id": maria.id,
        "inserted_at": at, "updated_at": at,
        "user": {
            "id": maria.id, "email": "maria@example.org", "domain": world.id("/domain"), "login": "maria",
            "name": "maria", "is_admin": false, "is_blocked": false, "block_reason": null, "settings": {},
            "inserted_at": user["inserted_at"], "updated_at": user["updated_at"],
        },
    });
    assert_eq!(made, expected);
    assert_eq!(at.as_str().map(|at| (at.len(), at.ends_with('Z'))), Some((20, true)));
    let location = format!("{}/{id}", maria.factors_path());
    assert_eq!(got.header("location"), Some(location.as_str()));

    // The list and the single resource are the same, without the user.
    let mut shown = expected;
    shown.as_object_mut().expect("an object").remove("user");
    let ask = |path: &str| world.get(path).bearer(world.admin());
    assert_eq!(data(&ask(&location).send().await, 200), shown);
    assert_eq!(world.factor_of(&maria).await, shown);
    // Until the owner has set a phone, the next login requests one (R42).
    let login = world.sign_in(&maria, &maria.password).await.ok(201);
    assert_eq!(login["urgent"]["next_step"], "REQUEST_FACTOR");
    assert_eq!(world.messages().await, [] as [Value; 0]);
}

#[tokio::test]
async fn an_invalid_factor_is_refused_with_its_reasons() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let of = maria.factors_path();
    let ask = |body: Value| world.post(&of).bearer(world.admin()).json(&body).send();
    let blank = ["$.type", "required", BLANK];
    let unknown = ["$.type", "inclusion", INVALID];
    let cast = ["$.type", "cast", INVALID];
    let beside = |name| [name, "additionalProperties", UNEXPECTED_FIELD];
    for (body, expected) in [
        (json!({}), vec![blank]),
        (json!({ "type": null }), vec![blank]),
        (json!({ "type": "" }), vec![blank]),
        (json!({ "type": "sms" }), vec![unknown]),
        (json!({ "type": "TOTP", "factor": 5 }), vec![unknown]),
        (json!({ "type": 1 }), vec![cast]),
        (json!({ "type": ["SMS"] }), vec![cast]),
        (json!({ "type": "SMS", "is_active": false }), vec![beside("$.is_active")]),
        // The path's user may be repeated in the body, but no other.
        (json!({ "user_id": maria.id }), vec![blank]),
        (json!({ "type": "SMS", "user_id": UNKNOWN_ID }), vec![["$.user_id", "inclusion", INVALID]]),
        (json!({ "type": "SMS", "user_id": 5 }), vec![["$.user_id", "inclusion", INVALID]]),
    ] {
        fields_refused(&ask(body).await, &expected);
    }
    let got = ask(json!({ "type": "TOTP" })).await.json();
    let rules = json!([{ "rule": "inclusion", "params": ["SMS"], "description": INVALID }]);
    let invalid = json!([{ "entry_type": "json_data_property", "entry": "$.type", "rules": rules }]);
    assert_eq!(got["error"]["invalid"], invalid);
    let unknown_user = Person {
        id: UNKNOWN_ID.into(),
        ..maria.clone()
    };
    not_found(&create(&world, &unknown_user, world.admin()).send().await);
    assert_eq!(world.rows("FactorsTable").await.len(), 1, "the demo user's");

    data(&create(&world, &maria, world.admin()).send().await, 201);
    let twice = FACTOR_EXISTS;
    for person in [&maria, &world.demo()] {
        refused(&create(&world, person, world.admin()).send().await, 409, "request_conflict", twice);
    }
    let before = world.rows("FactorsTable").await;
    let other = world.create_person("other").await;
    world.run_command(json!({ "command": "block_user", "user_id": other.id })).await;
    refused(&create(&world, &other, world.admin()).send().await, 409, "request_conflict", "User blocked");
    assert_eq!(world.rows("FactorsTable").await, before);
}

#[tokio::test]
async fn one_of_parallel_requests_creates_a_factor() {
    let world = World::new().await;
    for round in 0..5 {
        let person = world.create_person(&format!("person{round}")).await;
        let got = join_all((0..16).map(|_| create(&world, &person, world.admin()).send())).await;
        assert_eq!(got.iter().filter(|got| got.status == 201).count(), 1, "round {round}");
        assert!(got.iter().all(|got| matches!(got.status, 201 | 409)), "{got:?}");
        // The response shows the stored factor.
        let made = got.iter().find(|got| got.status == 201).expect("one");
        assert_eq!(world.factor_of(&person).await["id"], data(made, 201)["id"]);
    }
}

#[tokio::test]
async fn a_factor_is_created_despite_a_lost_response() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let lost = json!({ "service": "dynamodb", "operation": "TransactWriteItems", "kind": "drop_response", "times": 1 });
    world.inject(lost).await;
    let made = data(&create(&world, &maria, world.admin()).send().await, 201);
    assert_eq!(world.factor_of(&maria).await["id"], made["id"]);
}

#[tokio::test]
async fn a_list_is_filtered_by_the_query() {
    let world = World::new().await;
    let (demo, maria) = (world.demo(), world.create_person("maria").await);
    let list = async |person: &Person, query: &str| {
        let path = format!("{}{query}", person.factors_path());
        world.get(&path).bearer(world.admin()).send().await
    };
    for (query, found) in [
        ("", 1),
        ("?type=SMS", 1),
        ("?is_active=true", 1),
        ("?is_active=false", 0),
        ("?type=SMS&is_active=true&page=2&page_size=1", 1),
        ("?type=SMS&is_active=false", 0),
    ] {
        for (person, found) in [(&demo, found), (&maria, 0)] {
            let body = list(person, query).await.ok(200);
            assert_eq!(body.as_object().map(|body| body.len()), Some(3), "{query}: {body}");
            assert_eq!((&body["meta"]["code"], &body["meta"]["type"]), (&json!(200), &json!("list")));
            let paging = json!({ "page_number": 1, "page_size": 50, "total_pages": 1, "total_entries": found });
            assert_eq!(body["paging"], paging, "{query}");
            let factors = body["data"].as_array().expect("a list");
            assert_eq!(factors.len(), found, "{query}");
            for factor in factors {
                assert_eq!((&factor["factor"], &factor["user_id"]), (&json!("+38088*****30"), &json!(demo.id)));
            }
        }
    }
    fields_refused(
        &list(&demo, "?type=sms&is_active=1").await,
        &[["type", "inclusion", INVALID], ["is_active", "cast", INVALID]],
    );
    refused(&list(&demo, "?type=SMS&type=SMS").await, 400, "request_malformed", MALFORMED_REQUEST);
}

#[tokio::test]
async fn a_phone_number_is_always_masked() {
    let world = World::new().await;
    let maria = world.create_person_with("maria", "+4915112345678").await;
    let short = world.create_person_with("short", "+4912345").await;
    for (person, mask) in [
        (&maria, "+49151******78"),
        (&short, "+*****45"),
        (&world.demo(), "+38088*****30"),
    ] {
        let id = world.factor_of(person).await["id"].as_str().expect("an id").to_owned();
        let one = format!("{}/{id}", person.factors_path());
        let own = world.create_token(json!({ "user_id": person.id, "scopes": ["authentication_factor:read"] })).await;
        for (path, token) in [(&one, &own), (&person.factors_path(), &own)] {
            let got = world.get(path).bearer(token).send().await;
            got.ok(200);
            assert!(got.body.contains(&format!(r#""factor":"{mask}""#)), "{got:?}");
        }
        for action in ["disable", "enable"] {
            let path = format!("{one}/actions/{action}");
            let got = world.request("PATCH", &path).bearer(world.admin()).send().await;
            assert_eq!(data(&got, 200)["factor"], mask);
        }
    }
    // Nor is it in a mail: the world itself searches the log.
    for mail in world.messages().await {
        for phone in ["15112345678", "12345", &PHONE[1..]] {
            assert!(!mail.to_string().contains(phone), "{mail}");
        }
    }
}

#[tokio::test]
async fn users_administer_their_own_account_with_the_scope() {
    let world = World::new().await;
    let (maria, other) = (world.create_person("maria").await, world.create_person_with("other", "+380881234531").await);
    let token = async |person: &Person, scope: &str| {
        world.create_token(json!({ "user_id": person.id, "scopes": [scope] })).await
    };
    let (read, write) = ("authentication_factor:read", "authentication_factor:write");
    let (reads, writes) = (token(&maria, read).await, token(&maria, write).await);
    scope_too_small(&create(&world, &maria, &reads).send().await, write);
    scope_too_small(&world.get(&maria.factors_path()).bearer(&writes).send().await, read);
    let made = data(&create(&world, &maria, &writes).send().await, 201);
    let one = format!("{}/{}", maria.factors_path(), made["id"].as_str().expect("an id"));
    world.get(&maria.factors_path()).bearer(&reads).send().await.ok(200);
    world.get(&one).bearer(&reads).send().await.ok(200);
    // Users see only their own, and cannot disable it; no enumeration of other users (R29).
    let theirs = world.factor_of(&other).await["id"].as_str().expect("an id").to_owned();
    let unknown = format!("{USERS}/{UNKNOWN_ID}/authentication_factors");
    let mut seen = Vec::new();
    for user in [
        &other.factors_path(),
        &unknown,
        &format!("{USERS}/x/authentication_factors"),
    ] {
        for got in [
            world.get(user).bearer(&reads).send().await,
            world.get(&format!("{user}/{theirs}")).bearer(&reads).send().await,
            world.get(&format!("{user}/{UNKNOWN_ID}")).bearer(&reads).send().await,
            world.post(user).bearer(&writes).json(&json!({ "type": "SMS" })).send().await,
            world.post(user).bearer(&writes).json(&json!({})).send().await,
            world.request("PATCH", &format!("{user}/{theirs}/actions/disable")).bearer(&writes).send().await,
            world.request("PATCH", &format!("{one}/actions/disable")).bearer(&writes).send().await,
            world.request("PATCH", &format!("{one}/actions/enable")).bearer(&writes).send().await,
        ] {
            forbidden(&got);
            seen.push(got.json()["error"].clone());
        }
    }
    assert!(seen.iter().all(|one| *one == seen[0]));
    world.run_command(json!({ "command": "block_user", "user_id": maria.id })).await;
    user_blocked(&world.get(&one).bearer(&reads).send().await);
    world.run_command(json!({ "command": "unblock_user", "user_id": maria.id })).await;
    token_expired(&world.get(&one).bearer(&reads).send().await);
}

#[tokio::test]
async fn users_of_another_domain_are_not_found() {
    let world = World::new().await;
    let (maria, demo) = (world.create_person("maria").await, world.demo());
    let factor = world.factor_of(&demo).await["id"].as_str().expect("an id").to_owned();
    let (_, boss) = world.new_user_in("other.example", "boss", true).await;
    let (_, foreign) = world.new_user_in("other.example", "maria", false).await;
    let boss = world.create_token(json!({ "user_id": boss, "scopes": "all" })).await;
    let create_client = async |id: &str, domain: Option<&str>| {
        let mut command = json!({ "command": "create_client", "client_id": id, "scopes": "all" });
        if let Some(domain) = domain {
            command["domain"] = domain.into();
        }
        assert_eq!(world.run_command(command).await["client_id"], id);
        let token = json!({ "owner_client_id": id, "client_id": id, "scopes": "all" });
        world.create_token(token).await
    };
    let elsewhere = create_client("elsewhere", Some("other.example")).await;
    let nowhere = create_client("nowhere", None).await;
    let own = world.create_token(json!({ "owner_client_id": "heatclinic", "scopes": "all" })).await;
    let of_factor = async |user: &str, factor: &str, token: &str| {
        let one = format!("{USERS}/{user}/authentication_factors/{factor}");
        let patch = |action: &str| world.request("PATCH", &format!("{one}/actions/{action}")).bearer(token).send();
        let shown = world.get(&one).bearer(token).send().await;
        [
            shown,
            patch("reset").await,
            patch("disable").await,
            patch("enable").await,
        ]
    };
    let of_user = async |user: &str, token: &str| {
        let list = format!("{USERS}/{user}/authentication_factors");
        let patch =
            |action: &str| world.request("PATCH", &format!("{USERS}/{user}/actions/{action}")).bearer(token).send();
        let listed = world.get(&list).bearer(token).send().await;
        let made = world.post(&list).bearer(token).json(&json!({ "type": "SMS" })).send().await;
        [listed, made, patch("block").await, patch("unblock").await]
    };
    let before = world.state().await;
    for user in [demo.id.as_str(), &maria.id, UNKNOWN_ID] {
        for token in [&boss, &elsewhere] {
            of_user(user, token).await.iter().for_each(not_found);
            of_factor(user, &factor, token).await.iter().for_each(not_found);
        }
        of_user(user, &nowhere).await.iter().for_each(forbidden);
        of_factor(user, &factor, &nowhere).await.iter().for_each(forbidden);
    }
    // An id has one format, in any letter case; and another user's factor is not found.
    let simple = demo.id.replace('-', "");
    let (wide, longer) = ("%EF%BC%91".repeat(36), format!("{}%20", demo.id));
    for token in [world.admin(), &own] {
        for user in [foreign.as_str(), UNKNOWN_ID, &simple, &wide, &longer, "%2520", "me"] {
            of_user(user, token).await.iter().for_each(not_found);
            of_factor(user, &factor, token).await.iter().for_each(not_found);
        }
        for one in [factor.replace('-', "").as_str(), "x", &demo.id, UNKNOWN_ID, "%20"] {
            of_factor(&demo.id, one, token).await.iter().for_each(not_found);
        }
        of_factor(&maria.id, &factor, token).await.iter().for_each(not_found);
    }
    assert_eq!(world.state().await, before, "nothing was changed");
    // A caller that may manage users of a domain may manage all of them.
    for (user, token) in [(&foreign, &boss), (&foreign, &elsewhere), (&maria.id, &own)] {
        let path = format!("{USERS}/{user}/authentication_factors");
        world.get(&path).bearer(token).send().await.ok(200);
    }
}
