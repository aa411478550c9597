//! Support PINs: authorization, and how a user is identified (docs/contract.md, Support PIN).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{
    requests::Request,
    support_pin::{OWN_PIN, create_pin, pin_in, pin_path, revocation_path},
    words::{FORBIDDEN, NO_PIN, NO_ROUTE, UNAUTHORIZED},
    world::World,
};

const NO_USER: &str = r#"{"message":"404 User Not Found"}"#;

#[tokio::test]
async fn a_caller_cannot_act_as_another_user() {
    const SUDO: &str = r#"{"message":"403 Forbidden - Sudo is not supported"}"#;
    let world = World::new().await;
    let (user, admin) = (world.id("/user/user_id"), world.id("/admin/user_id"));
    let theirs = create_pin(&world, world.user()).await;
    let own = create_pin(&world, world.admin()).await;
    let reading = world.create_token(json!({ "user_id": admin, "scopes": ["read_api"] })).await;
    let before = world.state().await;
    let (shown, revocation) = (pin_path(user), revocation_path(user));
    let unknown = pin_path("00000000-0000-4000-8000-000000000000");
    for (method, path) in [
        ("POST", OWN_PIN),
        ("GET", OWN_PIN),
        ("GET", &shown),
        ("GET", &unknown),
        ("POST", &revocation),
    ] {
        for token in [world.admin(), world.user(), &reading] {
            let ask = || world.request(method, path).private_token(token);
            for value in [user, admin, "root", "", "\u{e9}"] {
                ask().header("sudo", value).send().await.is(403, SUDO);
            }
            ask().query(&[("sudo", "root")]).send().await.is(403, SUDO);
            ask().form(&[("sudo", user)]).send().await.is(403, SUDO);
            ask().json(&json!({ "sudo": user })).send().await.is(403, SUDO);
        }
        let query = format!("{path}?a=%zz&%73udo=root");
        let got = world.request(method, &query).bearer(world.admin()).send().await;
        got.is(403, SUDO);
        // An unauthenticated caller gets a 401, and nothing else is revealed.
        let ask = || world.request(method, path).header("sudo", "root");
        ask().send().await.is(401, UNAUTHORIZED);
        ask().private_token("glpat-XXXXXXXXXXXXXXXXX").send().await.is(401, UNAUTHORIZED);
    }
    assert_eq!(world.state().await, before, "nothing was changed");
    assert_eq!(pin_in(&world.get(OWN_PIN).private_token(world.user()).send().await, 200), theirs);
    assert_eq!(pin_in(&world.get(OWN_PIN).private_token(world.admin()).send().await, 200), own);
    world.run_command(json!({ "command": "block_user", "user_id": user })).await;
    let blocked = world.get(OWN_PIN).private_token(world.user()).header("sudo", "root");
    blocked.send().await.is(403, SUDO);
}

#[tokio::test]
async fn a_token_in_the_query_is_refused() {
    let world = World::new().await;
    for name in ["private_token", "access_token", "job_token"] {
        let query = [(name, world.user())];
        world.post(OWN_PIN).query(&query).send().await.is(401, UNAUTHORIZED);
        world.post(OWN_PIN).query(&query).private_token(world.user()).send().await.is(401, UNAUTHORIZED);
    }
    assert!(world.rows("SupportPinsTable").await.is_empty());
}

#[tokio::test]
async fn a_non_administrator_learns_nothing_about_other_users() {
    let world = World::new().await;
    let (other, other_id) = world.new_user("other").await;
    create_pin(&world, &other).await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    let own = world.id("/user/user_id");
    let mut answers = Vec::new();
    for id in [other_id.as_str(), unknown, own, "123", "124", "0123", "%20", "'"] {
        for got in [
            world.get(&pin_path(id)).private_token(world.user()).send().await,
            world.post(&revocation_path(id)).private_token(world.user()).send().await,
        ] {
            got.is(403, FORBIDDEN);
            answers.push(got.header("content-length").map(str::to_owned));
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "all answers are alike");
}

#[tokio::test]
async fn an_owner_cannot_revoke_and_the_pin_stays_readable() {
    let world = World::new().await;
    let created = create_pin(&world, world.user()).await;
    world
        .post(&revocation_path(world.id("/user/user_id")))
        .private_token(world.user())
        .send()
        .await
        .is(403, FORBIDDEN);
    assert_eq!(pin_in(&world.get(OWN_PIN).private_token(world.user()).send().await, 200), created);
}

#[tokio::test]
async fn an_unknown_user_is_not_found_in_any_spelling_of_the_id() {
    let world = World::new().await;
    create_pin(&world, world.user()).await;
    let id = world.id("/user/user_id");
    let braces = format!("%7B{id}%7D");
    let simple = id.replace('-', "");
    let unknown = "00000000-0000-4000-8000-000000000000";
    for spelling in [
        unknown,
        "124",
        "0",
        "0123",
        "+123",
        "123%20",
        "-123",
        "123.0",
        "1e2",
        "18446744073709551615",
        "18446744073709551616",
        "%EF%BC%91%EF%BC%92%EF%BC%93",
        "%D9%A1%D9%A2%D9%A3",
        "%F0%9F%94%91",
        "%20",
        &simple,
        &braces,
        &"a".repeat(2000),
    ] {
        world.get(&pin_path(spelling)).private_token(world.admin()).send().await.is(404, NO_USER);
        world.post(&revocation_path(spelling)).private_token(world.admin()).send().await.is(404, NO_USER);
    }
}

#[tokio::test]
async fn an_id_is_read_in_any_letter_case() {
    let world = World::new().await;
    let created = create_pin(&world, world.user()).await;
    let upper = world.id("/user/user_id").to_uppercase();
    let ask = || world.get(&pin_path(&upper)).private_token(world.admin());
    assert_eq!(pin_in(&ask().send().await, 200), created);
    let revocation = world.post(&revocation_path(&upper)).private_token(world.admin());
    revocation.send().await.is(202, "{}");
    ask().send().await.is(404, NO_PIN);
}

#[tokio::test]
async fn a_user_is_found_by_number_within_the_domain_without_extra_calls() {
    let world = World::new().await;
    let (id, created) = (world.id("/user/user_id"), create_pin(&world, world.user()).await);
    let (named, revocation) = (pin_path("123"), revocation_path("123"));
    let calls = async |ask: Request<'_>, expected: &str| {
        world.invocations().await;
        let got = ask.send().await;
        assert_eq!(got.body, expected);
        let [invocation] = serde_json::from_value::<[Value; 1]>(world.invocations().await.into()).expect("one");
        let calls = invocation["calls"].as_array().expect("calls").clone();
        calls
            .iter()
            .map(|call| (call["operation"].clone(), call["table"].clone(), call["units"].clone()))
            .collect::<Vec<_>>()
    };
    let shown = world.get(OWN_PIN).private_token(world.user()).send().await.body;
    let by_id = calls(world.get(&pin_path(id)).private_token(world.admin()), &shown).await;
    let by_number = calls(world.get(&named).private_token(world.admin()), &shown).await;
    assert_eq!(by_number, by_id, "a number costs nothing");
    assert_eq!(pin_in(&world.get(&named).bearer(world.admin()).send().await, 200), created);
    for path in [&named, &revocation] {
        let method = if path == &named { "GET" } else { "POST" };
        let ask = || world.request(method, path);
        ask().send().await.is(401, UNAUTHORIZED);
        ask().private_token(world.user()).send().await.is(403, FORBIDDEN);
    }

    // The same number in another domain is another user's.
    let (boss, _) = world.new_user_in("other.example", "boss", true).await;
    for path in [&named, &pin_path(id)] {
        world.get(path).private_token(&boss).send().await.is(404, NO_USER);
    }
    let theirs = world
        .run_command(json!({
            "command": "create_user", "domain": "other.example", "email": "anna@other.example", "login": "anna",
            "name": "Anna", "password": "correct-horse", "number": 123,
        }))
        .await;
    assert_ne!(theirs["user_id"], id);
    let anna = world.create_token(json!({ "user_id": theirs["user_id"], "scopes": ["api"] })).await;
    world.get(&named).private_token(&boss).send().await.is(404, NO_PIN);
    let pin_of_anna = create_pin(&world, &anna).await;
    assert_eq!(pin_in(&world.get(&named).private_token(&boss).send().await, 200), pin_of_anna);
    let got = world.post(&revocation).private_token(&boss).send().await;
    got.is(202, "{}");
    assert_eq!(pin_in(&world.get(&named).private_token(world.admin()).send().await, 200), created);

    let by_id = calls(world.post(&revocation_path(id)).private_token(world.admin()), "{}").await;
    create_pin(&world, world.user()).await;
    assert_eq!(calls(world.post(&revocation).private_token(world.admin()), "{}").await, by_id);
    world.get(&named).private_token(world.admin()).send().await.is(404, NO_PIN);
    // Mithril's routes do not accept numbers.
    let path = "/mithril/api/users/123/authentication_factors";
    world.get(path).bearer(world.admin()).send().await.ok(404);
}

#[tokio::test]
async fn a_token_with_another_domain_is_invalid() {
    let world = World::new().await;
    let (boss, boss_id) = world.new_user_in("other.example", "boss", true).await;
    create_pin(&world, world.user()).await;
    let owner = |token: &str| {
        let owner = token[1..].split('.').next().expect("an owner");
        URL_SAFE_NO_PAD.decode(owner).expect("base64url")
    };
    let (own, domain) = (owner(&boss)[..16].to_vec(), owner(world.admin())[16..].to_vec());
    assert_eq!(uuid_of(&own), boss_id);
    let secret = boss.split_once('.').expect("two parts").1;
    for domain in [domain, Vec::new()] {
        let forged = URL_SAFE_NO_PAD.encode([own.clone(), domain].concat());
        let got = world.get(&pin_path("123")).private_token(&format!("u{forged}.{secret}"));
        got.send().await.is(401, UNAUTHORIZED);
    }
}

/// The text of an id, from its 16 bytes.
fn uuid_of(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[tokio::test]
async fn an_administrator_reads_the_own_pin_and_is_limited_to_the_domain() {
    let world = World::new().await;
    let own = create_pin(&world, world.admin()).await;
    let got = world.get(&pin_path(world.id("/admin/user_id"))).private_token(world.admin()).send().await;
    assert_eq!(pin_in(&got, 200), own, "one's own id names the caller's row twice");

    let (foreign_admin, _) = world.new_user_in("other.example", "boss", true).await;
    create_pin(&world, world.user()).await;
    let id = world.id("/user/user_id");
    world.get(&pin_path(id)).private_token(&foreign_admin).send().await.is(404, NO_USER);
    world.post(&revocation_path(id)).private_token(&foreign_admin).send().await.is(404, NO_USER);
}

#[tokio::test]
async fn a_user_cannot_be_found_by_a_pin() {
    let world = World::new().await;
    let digits = create_pin(&world, world.user()).await;
    world.get(&pin_path(&digits)).private_token(world.admin()).send().await.is(404, NO_USER);
    let got = world.get(&format!("/api/v4/users/support_pin/{digits}")).private_token(world.admin()).send().await;
    got.is(404, NO_ROUTE);
}
