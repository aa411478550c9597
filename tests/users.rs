//! Users created by administrators (docs/contract.md, Second factors and tokens, `POST /users`).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    login::password_grant,
    mithril::{data, fields_refused, forbidden, refused, scope_too_small},
    people::{Person, USER_PASSWORD},
    requests::Response,
    words::{BLANK, INVALID, SERVICE_UNAVAILABLE, TAKEN, UNEXPECTED_FIELD},
    world::World,
};

/// A form with a mail address, a password, and more fields.
fn form(email: &str, more: Value) -> Value {
    let mut form = json!({ "email": email, "password": USER_PASSWORD });
    for (name, value) in more.as_object().expect("fields") {
        form[name] = value.clone();
    }
    form
}

#[tokio::test]
async fn a_user_is_created_completely_and_can_sign_in() {
    let world = World::new().await;
    let domain = world.id("/domain").to_owned();
    let all = json!({
        "domain": domain, "login": "my_login", "name": "My Name", "is_admin": false, "2fa_enable": true,
    });
    for (body, login, name, is_admin, step) in [
        (form("my.address@yandex.ru", all.clone()), "my_login", "My Name", false, "REQUEST_FACTOR"),
        (json!({ "user": form("second@yandex.ru", json!({})) }), "second", "second", false, "REQUEST_APPS"),
        (form("third@yandex.ru", json!({ "login": "number3" })), "number3", "number3", false, "REQUEST_APPS"),
        (
            form("boss@yandex.ru", json!({ "name": "Ім'я", "is_admin": true })),
            "boss",
            "Ім'я",
            true,
            "REQUEST_APPS",
        ),
    ] {
        let user = data(&world.post_user(world.admin(), &body).await, 201);
        let (id, at) = (user["id"].as_str().expect("an id"), &user["inserted_at"]);
        let email = body["email"].as_str().or(body["user"]["email"].as_str()).expect("an address");
        let expected = json!({
            "id": id, "email": email, "domain": domain, "login": login, "name": name, "is_admin": is_admin,
            "is_blocked": false, "block_reason": null, "settings": {}, "inserted_at": at, "updated_at": at,
        });
        assert_eq!(user, expected);
        let got = world.request_token(password_grant(email, USER_PASSWORD)).await.ok(201);
        assert_eq!((&got["urgent"]["next_step"], &got["data"]["user_id"]), (&json!(step), &json!(id)));
        let person = Person {
            id: id.into(),
            email: email.into(),
            password: USER_PASSWORD.into(),
            phone: None,
        };
        if step == "REQUEST_FACTOR" {
            let factor = world.factor_of(&person).await;
            assert_eq!((&factor["factor"], &factor["is_active"]), (&Value::Null, &json!(true)));
        }
        // A new administrator may do the same.
        let token = world.create_token(json!({ "user_id": id, "scopes": ["user:write"] })).await;
        let got = world.post_user(&token, &form(&format!("of.{email}"), json!({}))).await;
        if is_admin {
            drop(data(&got, 201))
        } else {
            forbidden(&got)
        }
    }
    assert_eq!(world.messages().await, [] as [Value; 0]);
}

#[tokio::test]
async fn all_invalid_fields_are_reported_at_once() {
    let world = World::new().await;
    let before = world.state().await;
    let blank = |entry: &'static str| [entry, "required", BLANK];
    let cast = |entry: &'static str| [entry, "cast", INVALID];
    let symbols = |entry: &'static str| [entry, "format", "contains invalid symbols"];
    let beside = |entry: &'static str| [entry, "additionalProperties", UNEXPECTED_FIELD];
    for (body, expected) in [
        (json!({}), vec![blank("$.email"), blank("$.password")]),
        (json!({ "user": {} }), vec![blank("$.email"), blank("$.password")]),
        (json!({ "user": { "email": "a@b.c" }, "id": 1 }), vec![blank("$.password"), beside("$.id")]),
        (form("a@yandex.ru", json!({ "role": "root" })), vec![beside("$.role")]),
        (
            form("a@yandex.ru", json!({ "is_admin": "true", "2fa_enable": 1 })),
            vec![cast("$.is_admin"), cast("$.2fa_enable")],
        ),
        (json!({ "email": 1, "password": null }), vec![cast("$.email"), blank("$.password")]),
        (form("a@yandex.ru", json!({ "login": "", "name": "" })), vec![blank("$.login"), blank("$.name")]),
        (form("nowhere", json!({ "login": "a b" })), vec![symbols("$.email"), symbols("$.login")]),
        (form("a@yandex.ru\r\nBcc: b@yandex.ru", json!({})), vec![symbols("$.email")]),
        (form("a@yandex.ru", json!({ "name": "{{7*7}}\r\nx" })), vec![symbols("$.name")]),
    ] {
        fields_refused(&world.post_user(world.admin(), &body).await, &expected);
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn a_used_login_or_address_is_taken() {
    let world = World::new().await;
    let make = async |email: &str, login: &str| world.make_user_of(email, login).await;
    data(&make("first@yandex.ru", "first").await, 201);
    let (mail, login) = (["$.email", "unique", TAKEN], ["$.login", "unique", TAKEN]);
    let users = world.rows("UsersTable").await.len();
    fields_refused(&make("first@yandex.ru", "second").await, &[mail]);
    fields_refused(&make("FIRST@yandex.ru", "second").await, &[mail]);
    fields_refused(&make("second@yandex.ru", "first").await, &[login]);
    fields_refused(&make("second@yandex.ru", "ＦＩＲＳＴ").await, &[login]);
    fields_refused(&make("first@yandex.ru", "First").await, &[mail, login]);
    assert_eq!(world.rows("UsersTable").await.len(), users);
    for round in 0..3 {
        let email = format!("all{round}@yandex.ru");
        let got = join_all((0..8).map(|_| make(&email, "same"))).await;
        let won = got.iter().filter(|got| got.status == 201).count();
        assert_eq!(won, usize::from(round == 0), "{got:?}");
        assert!(got.iter().all(|got| matches!(got.status, 201 | 422)));
    }
}

/// Asserts the login of a user that was created without one.
#[track_caller]
fn derived(got: &Response, begins: &str) -> String {
    let login = data(got, 201)["login"].as_str().expect("a login").to_owned();
    let rest = login.strip_prefix(begins).unwrap_or_else(|| panic!("{login}"));
    let is_drawn = rest.len() == 7 && rest.starts_with('-');
    assert!(rest.is_empty() || is_drawn, "{login}");
    login
}

#[tokio::test]
async fn a_derived_login_does_not_cause_a_refusal() {
    let world = World::new().await;
    let make =
        async |email: &str| world.post_user(world.admin(), &json!({ "email": email, "password": USER_PASSWORD })).await;
    for (email, begins) in [
        ("anna@example.com", "anna"),
        ("anna+test@example.com", "anna-test"),
        ("anna@example.org", "anna"),
        ("ANNA@example.net", "ANNA"),
        ("o'brien@example.com", "o-brien"),
        ("__@example.com", "user"),
        ("++@example.com", "user"),
        // A lookalike login is taken.
        ("arnna@example.com", "arnna"),
        ("amna@example.com", "amna"),
    ] {
        let got = make(email).await;
        derived(&got, begins);
        let user = data(&got, 201);
        assert_eq!((&user["email"], &user["name"]), (&json!(email), &json!(begins)), "{email}");
        let got = world.request_token(password_grant(email, USER_PASSWORD)).await;
        assert_eq!(got.ok(201)["data"]["user_id"], user["id"], "{email}");
        fields_refused(&make(email).await, &[["$.email", "unique", TAKEN]]);
    }
    let longest = "a".repeat(64);
    assert_eq!(derived(&make(&format!("{longest}@example.com")).await, &longest), longest);
    let again = derived(&make(&format!("{longest}@example.org")).await, &longest[..57]);
    assert_eq!(again.len(), 64);
    // An explicit login is the caller's choice.
    let sent = form("bob@example.com", json!({ "login": "anna" }));
    let login = ["$.login", "unique", TAKEN];
    fields_refused(&world.post_user(world.admin(), &sent).await, &[login]);
    let sent = form("bob@example.com", json!({ "login": "anna+test" }));
    let login = ["$.login", "format", "contains invalid symbols"];
    fields_refused(&world.post_user(world.admin(), &sent).await, &[login]);
}

#[tokio::test]
async fn parallel_users_with_one_local_part_are_all_created() {
    let world = World::new().await;
    let users = world.rows("UsersTable").await.len();
    let make = async |email: String| {
        let body = json!({ "email": email, "password": USER_PASSWORD, "2fa_enable": true });
        world.post_user(world.admin(), &body).await
    };
    let made = join_all((0..32).map(|n| make(format!("info@shop{n}.example")))).await;
    let logins: Vec<_> = made.iter().map(|got| derived(got, "info")).collect();
    let distinct: std::collections::BTreeSet<_> = logins.iter().collect();
    let plain = logins.iter().filter(|login| *login == "info").count();
    assert_eq!((distinct.len(), plain), (32, 1), "{logins:?}");
    // Concurrent requests with the same address create one user.
    let got = join_all((0..8).map(|_| make("info@example.org".to_owned()))).await;
    let (won, lost): (Vec<_>, Vec<_>) = got.iter().partition(|got| got.status == 201);
    assert_eq!(won.len(), 1, "{got:?}");
    for got in lost {
        fields_refused(got, &[["$.email", "unique", TAKEN]]);
    }
    assert_eq!(world.rows("UsersTable").await.len(), users + 33);
}

impl World {
    async fn make_user_of(&self, email: &str, login: &str) -> Response {
        let body = form(email, json!({ "login": login, "2fa_enable": true }));
        self.post_user(self.admin(), &body).await
    }
}

#[tokio::test]
async fn a_domain_has_its_own_rules_and_administrators() {
    let world = World::new().await;
    let (_, boss) = world.new_user_in("other.example", "boss", true).await;
    let policy = json!({ "alphabet": null, "min": 15, "max": 64, "refuse_common": true });
    let set = json!({ "command": "set_domain", "domain": "other.example", "password": policy });
    assert_eq!(world.run_command(set).await["domain"], "other.example");
    let token = world.create_token(json!({ "user_id": boss, "scopes": ["user:write"] })).await;
    for (token, password, rule, words) in [
        (world.admin(), "x-y-z-1", "length", "is too short. Expected: at least 8 characters"),
        (world.admin(), "пароль-пароль", "format", "contains invalid symbols. Expected: A-Za-z0-9_-.~!"),
        (world.admin(), "password1", "exclusion", "is one of the most common passwords"),
        (&token, "fourteen-chars", "length", "is too short. Expected: at least 15 characters"),
    ] {
        let body = form("a@yandex.ru", json!({ "password": password }));
        fields_refused(&world.post_user(token, &body).await, &[["$.password", rule, words]]);
    }
    let body = form("a@yandex.ru", json!({ "password": "пароль из многих слов", "login": "demo" }));
    assert_eq!(data(&world.post_user(&token, &body).await, 201)["domain"], "other.example");
    // No caller creates users in another domain, or learns whether it exists (enumeration).
    for (token, domain) in [
        (world.admin(), "other.example"),
        (world.admin(), "nowhere.example"),
        (&token, world.id("/domain")),
    ] {
        forbidden(&world.post_user(token, &form("b@yandex.ru", json!({ "domain": domain }))).await);
    }
    let admin = world.id("/admin/user_id").to_owned();
    let small = world.create_token(json!({ "user_id": admin, "scopes": ["user:block", "api"] })).await;
    scope_too_small(&world.post_user(&small, &form("b@yandex.ru", json!({}))).await, "user:write");
    forbidden(
        &world
            .post_user(
                &world.create_token(json!({ "user_id": world.id("/user/user_id"), "scopes": "all" })).await,
                &json!({}),
            )
            .await,
    );
    // A client acts in its own domain.
    let client = world.create_token(json!({ "owner_client_id": "heatclinic", "scopes": ["user:write"] })).await;
    assert_eq!(
        data(&world.post_user(&client, &form("b@yandex.ru", json!({}))).await, 201)["domain"],
        world.id("/domain")
    );
    let made = json!({ "command": "create_client", "client_id": "nowhere", "scopes": "all" });
    assert_eq!(world.run_command(made).await["client_id"], "nowhere");
    let nowhere = json!({ "owner_client_id": "nowhere", "client_id": "nowhere", "scopes": ["user:write"] });
    let nowhere = world.create_token(nowhere).await;
    forbidden(&world.post_user(&nowhere, &form("c@yandex.ru", json!({}))).await);
}

#[tokio::test]
async fn an_administrator_is_created_by_an_administrator_or_with_a_scope() {
    let world = World::new().await;
    let (_, elsewhere) = world.new_user_in("other.example", "boss", true).await;
    let (_, user) = world.new_user("nobody_special").await;
    let admin = world.id("/admin/user_id").to_owned();
    let client = |scopes: Value| json!({ "owner_client_id": "heatclinic", "scopes": scopes });
    let person = |id: &str, scopes: Value| json!({ "user_id": id, "scopes": scopes });
    let (write, all) = (json!(["user:write"]), json!(["user:write", "user:admin"]));
    let made = |n: usize| form(&format!("boss{n}@yandex.ru"), json!({ "is_admin": true }));
    let before = world.rows("UsersTable").await;

    // `user:write` alone creates no administrators; nor does a wrapped body, or one that names the own domain.
    let token = world.create_token(client(write.clone())).await;
    let named = form("boss@yandex.ru", json!({ "is_admin": true, "domain": world.id("/domain") }));
    for body in [made(0), json!({ "user": made(0) }), named] {
        scope_too_small(&world.post_user(&token, &body).await, "user:admin");
    }
    // All other scopes together are not enough, and the scope alone creates no users.
    let others = json!([
        "api",
        "read_user",
        "read_api",
        "passcode",
        "app:authorize",
        "authentication_factor:read",
        "authentication_factor:write",
        "authentication_factor:reset",
        "user:write",
        "user:block",
        "user:unblock",
    ]);
    let token = world.create_token(client(others)).await;
    scope_too_small(&world.post_user(&token, &made(0)).await, "user:admin");
    let token = world.create_token(client(json!(["user:admin"]))).await;
    scope_too_small(&world.post_user(&token, &made(0)).await, "user:write");
    // The scope has no effect for non-administrators; another domain's administrator creates none here.
    let token = world.create_token(person(&user, all.clone())).await;
    forbidden(&world.post_user(&token, &made(0)).await);
    let token = world.create_token(person(&elsewhere, all.clone())).await;
    let here = form("boss@yandex.ru", json!({ "is_admin": true, "domain": world.id("/domain") }));
    forbidden(&world.post_user(&token, &here).await);
    assert_eq!(world.rows("UsersTable").await, before);

    for (n, fields) in [client(all), person(&admin, write.clone())].into_iter().enumerate() {
        let token = world.create_token(fields).await;
        let user = data(&world.post_user(&token, &made(n)).await, 201);
        assert_eq!((&user["is_admin"], &user["domain"]), (&json!(true), &json!(world.id("/domain"))));
    }
    // A former administrator creates none, even with an older token.
    let token = world.create_token(person(&admin, write)).await;
    let set = json!({ "command": "set_admin", "user_id": admin, "is_admin": false });
    assert_eq!(world.run_command(set).await["changed"], true);
    forbidden(&world.post_user(&token, &made(9)).await);
}

#[tokio::test]
async fn a_user_is_created_once_despite_a_lost_response() {
    let world = World::new().await;
    let users = world.rows("UsersTable").await.len();
    let lost = json!({ "service": "dynamodb", "operation": "TransactWriteItems", "kind": "drop_response", "times": 1 });
    world.inject(lost).await;
    data(&world.make_user_of("first@yandex.ru", "first").await, 201);
    assert_eq!(world.rows("UsersTable").await.len(), users + 1);
    for kind in ["error", "throttle"] {
        for skip in 0..3 {
            let fault = json!({ "service": "dynamodb", "operation": null, "kind": kind, "skip": skip, "times": 99 });
            world.inject(fault).await;
            let got = world.make_user_of("second@yandex.ru", "second").await;
            refused(&got, 503, "internal_error", SERVICE_UNAVAILABLE);
            world.clear_faults().await;
        }
    }
    assert_eq!(world.rows("UsersTable").await.len(), users + 1);
    data(&world.make_user_of("second@yandex.ru", "second").await, 201);
}
