//! `grant_type=password` of `POST /mithril/api/tokens` (docs/contract.md, Second factors and tokens): the order of its
//! errors, and the tokens it issues.

use serde_json::{Value, json};

use crate::support::{
    login::{api_grant, other_than, password_grant, token_in},
    mithril::{TOKENS, refused, token_expired, token_invalid_type, user_blocked, wrong_code, wrong_identity},
    people::{DOMAIN, Person},
    requests::Response,
    words::{ALLOWED_SCOPES, FACTOR_NOT_SET, NO_AUTHORIZATION, TOO_MANY_SENDS, VALIDATION_FAILED, WRONG_CLIENT_SECRET},
    world::World,
};

/// The same login with one field changed.
fn with(mut body: Value, field: &str, value: &str) -> Value {
    body[field] = value.into();
    body
}

/// The expected fields of a token response, besides the token and its id.
struct Expected<'a> {
    name: &'a str,
    grant_type: &'a str,
    scope: &'a str,
    user_id: Value,
    next_step: &'a str,
    life: u64,
}

/// Asserts a whole token response; returns the token.
async fn check(world: &World, got: &Response, expected: Expected<'_>) -> String {
    let Expected {
        name,
        grant_type,
        scope,
        user_id,
        next_step,
        life,
    } = expected;
    let (body, now) = (got.ok(201), world.now().await);
    let (meta, data) = (&body["meta"], &body["data"]);
    let (id, text) = (data["id"].as_str().expect("an id"), token_in(got));
    assert!(id.len() == 36 && !text.contains(id), "{got:?}");
    let (_, secret) = text.split_once('.').expect("an owner and a secret");
    assert_eq!(secret.len(), 43, "256 bits in base64");
    let ends = data["expires_at"].as_u64().expect("epoch seconds");
    assert!((now + life - 30..=now + life).contains(&ends), "{ends} at {now}");
    let whole = json!({
        "meta": { "code": 201, "url": meta["url"], "type": "object", "request_id": meta["request_id"] },
        "data": {
            "id": id, "name": name, "value": text, "expires_at": ends, "user_id": user_id,
            "details": { "grant_type": grant_type, "client_id": "heatclinic", "scope": scope },
        },
        "urgent": { "next_step": next_step },
    });
    assert_eq!(body, whole);
    assert!(meta["url"].as_str().is_some_and(|url| url.ends_with(TOKENS)), "{got:?}");
    text
}

const MONTH: u64 = 30 * 86_400;

#[tokio::test]
async fn a_login_returns_the_next_step() {
    let world = World::new().await;
    let (demo, admin) = (world.demo(), world.demo_admin());
    let got = world.sign_in(&admin, &admin.password).await;
    let expected = |grant_type, user_id: &str| Expected {
        name: "access_token",
        grant_type,
        scope: "app:authorize",
        user_id: user_id.into(),
        next_step: "REQUEST_APPS",
        life: MONTH,
    };
    check(&world, &got, expected("password", &admin.id)).await;

    let waits = |grant_type, next_step, user_id: &str| Expected {
        name: "2fa_access_token",
        scope: "",
        next_step,
        life: 600,
        ..expected(grant_type, user_id)
    };
    let got = world.sign_in(&demo, &demo.password).await;
    let token = check(&world, &got, waits("password", "REQUEST_OTP", &demo.id)).await;
    let got = world.refresh_login(&token).await;
    let token = check(&world, &got, waits("refresh_2fa_access_token", "REQUEST_OTP", &demo.id)).await;
    assert_eq!(world.sms_to("+380881234530").await.len(), 2);
    let got = world.submit_code(&token, &world.code_to("+380881234530").await).await;
    check(&world, &got, expected("authorize_2fa_access_token", &demo.id)).await;

    let person = world.create_person("maria").await;
    let path = format!("/mithril/api/users/{}/authentication_factors", person.id);
    let made = world.post(&path).bearer(world.admin()).json(&json!({ "type": "SMS" }));
    made.send().await.ok(201);
    let before = world.messages().await.len();
    let got = world.sign_in(&person, &person.password).await;
    let token = check(&world, &got, waits("password", "REQUEST_FACTOR", &person.id)).await;
    assert_eq!(world.messages().await.len(), before, "nothing is sent");
    let not_set = |got: &Response| refused(got, 409, "request_conflict", FACTOR_NOT_SET);
    not_set(&world.submit_code(&token, "000000").await);
    not_set(&world.refresh_login(&token).await);
    assert_eq!(world.messages().await.len(), before, "nothing is sent");
}

/// Asserts the fields that a 422 names, and the rule that each breaks.
#[track_caller]
fn invalid(got: &Response) -> Vec<(String, String)> {
    let body = got.ok(422);
    assert_eq!(body["error"]["type"], "validation_failed");
    assert_eq!(body["error"]["message"], VALIDATION_FAILED);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let entries = body["error"]["invalid"].as_array().expect("a list").iter();
    entries.map(|entry| (text(&entry["entry"]), text(&entry["rules"][0]["rule"]))).collect()
}

#[tokio::test]
async fn all_missing_fields_are_reported_at_once() {
    let world = World::new().await;
    world.invocations().await;
    for body in [
        json!({}),
        json!({ "grant_type": "magic" }),
        json!({ "grant_type": 7 }),
        json!({ "token": {} }),
    ] {
        let got = world.request_token(body).await;
        refused(&got, 422, "request_malformed", "Request must include grant_type.");
    }
    let password = ["$.email", "$.password", "$.client_id", "$.scope"];
    for (grant_type, missing) in [
        ("password", &password[..]),
        ("client_credentials", &["$.client_id", "$.client_secret", "$.scope"]),
        ("authorize_2fa_access_token", &["$.otp"]),
    ] {
        let blank = json!({
            "grant_type": grant_type, "email": "", "password": null, "client_id": "", "client_secret": "", "scope": null,
            "otp": "",
        });
        let named = |body: &Value| {
            let mut body = body.clone();
            let fields = body.as_object_mut().expect("an object");
            fields.retain(|name, _| name == "grant_type" || missing.contains(&format!("$.{name}").as_str()));
            body
        };
        let expected: Vec<_> = missing.iter().map(|entry| ((*entry).to_owned(), "required".to_owned())).collect();
        for body in [json!({ "grant_type": grant_type }), named(&blank)] {
            assert_eq!(invalid(&world.request_token(body.clone()).await), expected, "{body}");
            let wrapped = world.request_token(json!({ "token": body })).await;
            assert_eq!(invalid(&wrapped), expected, "{body} wrapped");
        }
    }
    let demo = world.demo();
    let mut body = password_grant(&demo.email, &demo.password);
    body["email"] = json!(["a@b.cd"]);
    body["remember_me"] = json!(true);
    let pair = |entry: &str, rule: &str| (entry.to_owned(), rule.to_owned());
    assert_eq!(
        invalid(&world.request_token(body).await),
        [pair("$.email", "cast"), pair("$.remember_me", "additionalProperties")]
    );
    for invocation in world.invocations().await {
        assert_eq!(invocation["calls"], json!([]), "refused before any call: {invocation}");
    }
    // The original's clients wrap the body; it is the same login.
    let got = world.request_token(json!({ "token": password_grant(&demo.email, &demo.password) })).await;
    let (token, code) = (token_in(&got), world.code_to("+380881234530").await);
    let wrapped = json!({ "token": { "grant_type": "authorize_2fa_access_token", "token": token, "otp": code } });
    assert_eq!(world.request_token(wrapped).await.ok(201)["urgent"]["next_step"], "REQUEST_APPS");
}

#[tokio::test]
async fn refusals_have_a_defined_order() {
    let world = World::new().await;
    let demo = world.demo();
    world.create_client("narrow", json!(["app:authorize", "api"])).await;
    for (id, domain) in [("no-grant", json!(DOMAIN)), ("no-domain", Value::Null)] {
        let command = json!({
            "command": "create_client", "client_id": id, "scopes": "all", "grants": ["client_credentials"], "domain": domain,
        });
        assert_eq!(world.run_command(command).await["client_id"], id);
    }
    // The later fields are wrong, too, so that the first error wins.
    let wrong = |client: &str, email: &str, password: &str, scope: &str| json!({ "grant_type": "password", "email": email, "password": password, "client_id": client, "scope": scope });
    for client in ["nobody", "a b", "HEATCLINIC"] {
        let got = world.request_token(wrong(client, "nobody@example.org", "x", "no such")).await;
        refused(&got, 401, "access_denied", "Invalid client id.");
    }
    for client in ["no-grant", "no-domain"] {
        let got = world.request_token(wrong(client, "nobody@example.org", "x", "no such")).await;
        refused(&got, 401, "access_denied", "Client is not allowed to issue login token.");
    }
    wrong_identity(&world.request_token(wrong("narrow", "nobody@example.org", "x", "no such")).await);
    wrong_identity(&world.request_token(wrong("narrow", &demo.email, "x", "no such")).await);
    assert_eq!(world.failure_counts(&demo).await, ("1".into(), "0".into()));
    // A right password with a scope that the client may not request does not reset the failure counter.
    for scope in ["no such", "app:authorize passcode", "APP:AUTHORIZE"] {
        let got = world.request_token(wrong("narrow", &demo.email, &demo.password, scope)).await;
        refused(&got, 401, "access_denied", "Allowed scopes for the token are app:authorize, api.");
        assert_eq!(world.failure_counts(&demo).await, ("1".into(), "0".into()), "{scope}");
    }
    // Scopes that allow a client to act for every user are for `client_credentials` only, whatever scopes it has.
    for scope in ["passcode", "app:authorize passcode"] {
        let got = world.request_token(wrong("heatclinic", &demo.email, &demo.password, scope)).await;
        let message = got.ok(401)["error"]["message"].take();
        let message = message.as_str().expect("a message");
        assert!(message.starts_with(ALLOWED_SCOPES), "{message}");
        assert!(!message.contains("passcode") && message.contains("app:authorize"), "{message}");
    }
    assert!(world.messages().await.is_empty(), "nothing was sent");
    world.run_command(json!({ "command": "block_user", "user_id": demo.id })).await;
    for password in ["x", &demo.password] {
        user_blocked(&world.request_token(wrong("narrow", &demo.email, password, "no such")).await);
    }
    let refresh = json!({ "grant_type": "refresh_2fa_access_token" });
    refused(&world.request_token(refresh).await, 401, "access_denied", NO_AUTHORIZATION);
}

#[tokio::test]
async fn a_login_revokes_the_previous_one_with_the_same_client() {
    let world = World::new().await;
    world.create_client("shop", json!("all")).await;
    let admin = world.demo_admin();
    let by = async |client: &str| token_in(&world.request_token(with(api_grant(&admin), "client_id", client)).await);
    let (first, shop) = (by("heatclinic").await, by("shop").await);
    let second = by("heatclinic").await;
    assert!(!world.token_works(&first).await, "its place was taken");
    for token in [&second, &shop, world.admin()] {
        assert!(world.token_works(token).await, "another client's, and an operator's, stay");
    }

    // The same with a second factor; and the code revokes the client's earlier token.
    let maria = world.create_person("maria").await;
    let opened = token_in(&world.request_token(api_grant(&maria)).await);
    let phone = "+380881234531";
    world
        .run_command(json!({ "command": "set_factor", "user_id": maria.id, "type": "SMS", "factor": phone }))
        .await;
    let first = token_in(&world.request_token(api_grant(&maria)).await);
    assert!(!world.token_works(&opened).await, "logging in ends what the last login gave");
    let first_code = world.code_to(phone).await;
    let shop = token_in(&world.request_token(with(api_grant(&maria), "client_id", "shop")).await);
    let shop_code = world.code_to(phone).await;
    let second = token_in(&world.request_token(api_grant(&maria)).await);
    let code = world.code_to(phone).await;
    for given in [&first_code, &code] {
        token_expired(&world.submit_code(&first, given).await);
    }
    token_expired(&world.refresh_login(&first).await);
    // R15: the code of one login is invalid in another, even if it was sent first.
    let others = [&first_code, &shop_code].into_iter().find(|other| **other != code);
    for (token, given) in [(&shop, &code), (&second, others.expect("another code"))] {
        wrong_code(&world.submit_code(token, given).await);
    }
    let got = world.submit_code(&second, &code).await;
    assert_eq!(got.ok(201)["data"]["details"]["scope"], "api app:authorize");
    assert!(world.token_works(&token_in(&got)).await);
    token_expired(&world.submit_code(&second, &code).await);
    token_expired(&world.refresh_login(&second).await);
    let maria_shop = world.refresh_login(&shop).await;
    refused(&maria_shop, 429, "otp_timeout", TOO_MANY_SENDS);
    assert!(!world.token_works(&shop).await, "a token that waits for a code opens nothing");
}

#[tokio::test]
async fn passwords_are_compared_in_full_and_addresses_in_any_spelling() {
    let world = World::new().await;
    let long = "x".repeat(128);
    for (login, given, others) in [
        ("long", long.as_str(), [&long[..127], &format!("{}y", &long[..127])]),
        ("Cased", "Correct-Horse", ["correct-horse", "Correct-Horse "]),
        ("composed", "caf\u{e9}-au-lait", ["cafe-au-lait", "caf\u{c9}-au-lait"]),
    ] {
        let email = format!("{login}@example.org");
        let command = json!({
            "command": "create_user", "domain": DOMAIN, "email": email, "login": login, "name": login, "password": given,
        });
        assert!(world.run_command(command).await["user_id"].is_string());
        for other in others {
            wrong_identity(&world.request_token(password_grant(&email, other)).await);
        }
        let decomposed = given.replace('\u{e9}', "e\u{301}");
        for (email, password) in [(email.clone(), given), (email.to_uppercase(), &decomposed)] {
            token_in(&world.request_token(password_grant(&email, password)).await);
        }
    }
}

#[tokio::test]
async fn a_weaker_hash_is_replaced_at_the_next_login() {
    let weak = World::new().await;
    let person = weak.create_person("maria").await;
    let hash = weak.user_row(&person.id).await["password"]["S"].as_str().expect("S").to_owned();
    drop(weak);
    let world = World::with(&[("PasswordIterations", "3")]).await;
    let Person { id, .. } = world.create_person("maria").await;
    let person = Person { id, ..person };
    use aws_sdk_dynamodb::types::AttributeValue as A;
    let update = world.dynamodb().update_item().table_name("countersign-UsersTable");
    let update = update.key("user_id", A::S(person.id.clone()));
    let update = update.update_expression("SET #p = :hash").expression_attribute_names("#p", "password");
    let update = update.expression_attribute_values(":hash", A::S(hash.clone()));
    update.send().await.expect("written");
    let stored = async || world.user_row(&person.id).await["password"]["S"].as_str().expect("S").to_owned();

    wrong_identity(&world.sign_in(&person, "wrong").await);
    assert_eq!(stored().await, hash, "a wrong password changes nothing");
    token_in(&world.sign_in(&person, &person.password).await);
    let fresh = stored().await;
    assert!(fresh.starts_with("$argon2id$v=19$m=19456,t=3,p=1$"), "{fresh}");
    token_in(&world.sign_in(&person, &person.password).await);
    assert_eq!(stored().await, fresh, "a good hash stays");
    wrong_identity(&world.sign_in(&person, &other_than("000001")).await);
}

#[tokio::test]
async fn a_client_gets_a_token_in_its_own_name() {
    let world = World::new().await;
    let grant = |client: &str, secret: &str, scope: &str| json!({ "grant_type": "client_credentials", "client_id": client, "client_secret": secret, "scope": scope });
    let secret = world.id("/client/client_secret").to_owned();
    let got = world.request_token(grant("heatclinic", &secret, "passcode")).await;
    let expected = Expected {
        name: "access_token",
        grant_type: "client_credentials",
        scope: "passcode",
        user_id: Value::Null,
        next_step: "REQUEST_APPS",
        life: MONTH,
    };
    let token = check(&world, &got, expected).await;
    let path = "/passcode/retrieve?purpose=TEST&username=maria&client_id=heatclinic";
    world.get(path).bearer(&token).send().await.ok(200);
    let again = token_in(&world.request_token(grant("heatclinic", &secret, "passcode")).await);
    for token in [&token, &again] {
        world.get(path).bearer(token).send().await.ok(200);
        token_invalid_type(&world.submit_code(token, "000000").await);
        token_invalid_type(&world.refresh_login(token).await);
    }

    let narrow = json!({ "command": "create_client", "client_id": "narrow", "scopes": ["passcode"] });
    let narrow = world.run_command(narrow).await["client_secret"].as_str().expect("a secret").to_owned();
    world.create_client("shop", json!("all")).await;
    let denied =
        async |body: Value, message: &str| refused(&world.request_token(body).await, 401, "access_denied", message);
    denied(grant("nobody", &secret, "passcode"), "Invalid client id.").await;
    denied(grant("shop", &secret, "passcode"), "Client is not allowed to issue login token.").await;
    for wrong in [narrow.as_str(), "x", &secret[1..], &secret.to_lowercase()] {
        denied(grant("heatclinic", wrong, "no such"), WRONG_CLIENT_SECRET).await;
    }
    denied(grant("narrow", &narrow, "passcode api"), "Allowed scopes for the token are passcode.").await;
    token_in(&world.request_token(grant("narrow", &narrow, "passcode")).await);
}
