//! The first step of self-registration: docs/contract.md, Registration and password reset. The second step is tested in
//! `registration_confirm.rs`, limits in `registration_limits.rs`, races in `registration_races.rs`, faults in
//! `mail_faults.rs`.

use serde_json::{Value, json};

use crate::support::{
    era::{CHECK_MAIL, era_refused, field_refused, password_set},
    people::DOMAIN,
    registration::{PASSWORD, REGISTER, registration_form},
    words::{
        DOMAIN_NOT_STRING, DOMAIN_REQUIRED, IS_ADMIN_UNEXPECTED, LOGIN_SYMBOLS, LOGIN_TAKEN, MALFORMED, NO_REQUEST,
        OPTS_UNEXPECTED, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE,
    },
    world::World,
};

#[tokio::test]
async fn a_registration_is_mailed_confirmed_and_completed() {
    let world = World::new().await;
    let ask = world.post(REGISTER).header("host", "evil.example");
    let ask = ask.header("x-forwarded-host", "evil.example");
    let ask = ask.header("forwarded", "host=evil.example;proto=https");
    ask.json(&registration_form(&[])).send().await.is(200, CHECK_MAIL);

    let mails = world.messages().await;
    assert_eq!(mails.len(), 1, "one mail, to one recipient: {mails:?}");
    assert_eq!(mails[0]["to"], "my.address@yandex.ru");
    assert_eq!(mails[0]["subject"], format!("Confirm your registration at {DOMAIN}"));
    let id = world.link_to("my.address@yandex.ru").await;
    let link = format!("{}/app-root#/self_register/{id}", world.url());
    let words: Vec<_> = mails[0]["text"].as_str().expect("a text").split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        format!(
            "Somebody, hopefully you, asked to register this mail address at {DOMAIN}. To complete the registration, \
             choose a password. The link is good for 24 hours. Choose a password: {link} If it was not you, please \
             ignore this message: no account is created unless a password is chosen."
        )
    );
    let html = mails[0]["html"].as_str().expect("an HTML part");
    assert!(
        html.starts_with("<!doctype html>\n<html lang=\"en\"") && html.contains("no account is created"),
        "{html}"
    );
    for (part, times) in [
        ("<a ", 1),
        (&*format!("<a href=\"{link}\""), 1),
        (&*format!(">{link}<"), 1),
        ("://", 2),
        ("evil", 0),
        ("My Name", 0),
        ("my_login", 0),
    ] {
        assert_eq!(html.matches(part).count(), times, "{part} in {html}");
    }
    assert_eq!(id.as_bytes()[14], b'4', "a random UUID: {id}");
    assert!(!world.all_rows().await.contains(&id), "the credential is stored in no table");

    assert_eq!(world.accounts("my_login").await.len(), 0, "no account before the link");
    password_set(&world.confirm_registration(&id, PASSWORD).await, "my_login");
    assert_eq!(world.accounts("my_login").await.len(), 1);
    assert_eq!(world.registration_requests().await, 0, "the request is used up");
    era_refused(&world.confirm_registration(&id, PASSWORD).await, 404, NO_REQUEST);
    assert_eq!(world.messages().await.len(), 1, "no further mail");
    let rows = world.all_rows().await;
    assert!(!rows.contains(&id) && !rows.contains(PASSWORD));
}

#[tokio::test]
async fn the_first_invalid_field_is_reported_and_uses_up_no_rate_limit() {
    let world = World::new().await;
    world.run_command(json!({ "command": "set_domain", "domain": "closed.example" })).await;
    world.new_user_in("other.example", "my_login", false).await;
    world.invocations().await;
    let closed = "domain does not allow self-registration";
    let no = |name: &'static str| (name, Value::Null);
    let is = |name: &'static str, value: &str| (name, json!(value));
    let long = "a".repeat(10_240);
    for (changes, field, message) in [
        // Fields present, in the contract's order, before everything else.
        (vec![no("domain"), no("login"), no("name"), no("email")], "domain", DOMAIN_REQUIRED),
        (vec![no("login"), no("name"), no("email")], "login", "login is required"),
        (vec![no("name"), no("email")], "name", "name is required"),
        (vec![is("domain", "nowhere"), is("login", "a b"), no("email")], "email", "email is required"),
        (vec![is("domain", "")], "domain", DOMAIN_REQUIRED),
        (vec![is("email", "")], "email", "email is required"),
        (vec![("domain", json!(1))], "domain", DOMAIN_NOT_STRING),
        (vec![("login", json!(["a"]))], "login", "login must be a string"),
        (vec![("name", json!({ "S": "a" }))], "name", "name must be a string"),
        (vec![("email", json!(true))], "email", "email must be a string"),
        (vec![is("domain", "nowhere"), ("is_admin", json!(true))], "is_admin", IS_ADMIN_UNEXPECTED),
        (vec![("opts", Value::Null)], "opts", OPTS_UNEXPECTED),
        (vec![("Domain", json!(DOMAIN))], "Domain", "Domain is not expected"),
        // Then the domain.
        (vec![is("domain", "nowhere.example"), is("login", "a b")], "domain", closed),
        (vec![is("domain", "closed.example"), is("email", "x")], "domain", closed),
        (vec![is("domain", "other.example")], "domain", closed),
        (vec![is("domain", "pbx.era-platform.ru#OTP"), is("name", "\n")], "domain", closed),
        (vec![is("domain", &long)], "domain", closed),
        // Then the values, in their order.
        (vec![is("login", "a b"), is("name", "\n"), is("email", "x")], "login", LOGIN_SYMBOLS),
        (vec![is("name", "a\nb"), is("email", "x")], "name", "name contains invalid symbols"),
        (vec![is("login", "demo"), is("email", "x")], "email", "email contains invalid symbols"),
        (vec![is("login", "аdmin2")], "login", "login mixes letters of several scripts"),
        (vec![is("login", "ad\u{200b}min2")], "login", LOGIN_SYMBOLS),
        (vec![is("login", "\u{202e}nimda")], "login", LOGIN_SYMBOLS),
        (vec![is("login", "a#OTP#b")], "login", LOGIN_SYMBOLS),
        (vec![is("login", &long)], "login", "login is too long"),
        (vec![is("name", " \t ")], "name", "name is required"),
        (vec![is("name", "x\r\nBcc: eve@evil.example")], "name", "name contains invalid symbols"),
        (vec![is("name", "\u{202e}ahsaM")], "name", "name contains invalid symbols"),
        (vec![is("name", "\u{1b}[2J")], "name", "name contains invalid symbols"),
        (vec![is("name", &long)], "name", "name is too long"),
        (vec![is("email", &format!("{long}@a.io"))], "email", "email is too long"),
        // Then whether the login is free, in any spelling.
        (vec![is("login", "demo")], "login", LOGIN_TAKEN),
        (vec![is("login", "DeMo")], "login", LOGIN_TAKEN),
        (vec![is("login", "ｄｅｍｏ"), is("email", "demo@pbx.era-platform.ru")], "login", LOGIN_TAKEN),
    ] {
        let mut body = registration_form(&changes);
        // A `null` field is equivalent to a missing one.
        field_refused(&world.post(REGISTER).json(&body).send().await, field, message);
        if body["opts"].is_null() && field != "opts" {
            body.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
            field_refused(&world.post(REGISTER).json(&body).send().await, field, message);
        }
    }
    for address in [
        "my.address",
        "a@x.ru\r\nBcc: eve@evil.example",
        "a@x%0d%0aBcc:eve@evil.example",
        "a@x.ru,eve@evil.example",
        "a@x.ru;eve@evil.example",
        "a@x.ru eve@evil.example",
        "Masha <a@x.ru>",
        "\"a\"@x.ru",
        "a@x.ru(x)",
        "a@@x.ru",
        "a@[127.0.0.1]",
        "a@localhost",
        "a@x\u{200b}x.ru",
        "\u{202e}a@x.ru",
        "{{email}}@x.ru\0",
    ] {
        let got = world.post(REGISTER).json(&registration_form(&[("email", json!(address))])).send().await;
        field_refused(&got, "email", "email contains invalid symbols");
    }
    let name = "x\"y\u{202e}\n".repeat(20);
    let got = world.post(REGISTER).json(&registration_form(&[(&name, json!(1))])).send().await;
    let field = name.chars().take(64).collect::<String>();
    assert_eq!(
        (got.status, serde_json::from_str::<Value>(&got.body).expect("JSON")),
        (
            412,
            json!({ "error_code": 1501, "error_message": format!("{field} is not expected"), "error_details": { "field": field } })
        )
    );

    assert_eq!(world.registration_requests().await, 0);
    assert!(world.messages().await.is_empty());
    let wrote = |call: &Value| call["operation"] != "BatchGetItem";
    for invocation in world.invocations().await {
        let calls = invocation["calls"].as_array().expect("calls");
        assert!(calls.len() <= 1 && !calls.iter().any(wrote), "it is read at most: {invocation}");
    }
    // From the same source, at once.
    world.post(REGISTER).json(&registration_form(&[])).send().await.is(200, CHECK_MAIL);
}

/// Bodies that are not a JSON object, by strict parsing (R52).
fn no_objects() -> Vec<Vec<u8>> {
    let good = registration_form(&[]).to_string();
    let fields = &good[1..good.len() - 1];
    let deep = format!("{{{fields},\"x\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let texts = [
        "",
        "null",
        "1",
        "\"text\"",
        "[]",
        "{",
        "domain=pbx",
        "{'pwd':'x'}",
        r#"{"pwd":"x","pwd":"x"}"#,
        r#"{"pwd":"x","\u0070wd":"y"}"#,
        r#"{"pwd":"\ud800"}"#,
        r#"{"pwd":1e999}"#,
        "{\"pwd\":\"a\tb\"}",
        r#"{"pwd":"ew!hIb3V"}{}"#,
        r#"{"pwd":"ew!hIb3V",}"#,
        r#"{"pwd":{"a":1,"a":2}}"#,
        &format!("[{good}]"),
        &format!("{good} x"),
        &format!("\u{feff}{good}"),
        &format!("{{{fields},{fields}}}"),
        &format!("{{{fields},\"login\":\"other\"}}"),
        &good.replace("My Name", "\\udc00"),
        &deep,
    ];
    let mut bodies: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    bodies.push(b"{\"pwd\":\"\xff\xfe\"}".to_vec());
    bodies.push(good.replace("My Name", "\0").into_bytes());
    bodies
}

#[tokio::test]
async fn a_body_is_one_json_object() {
    let world = World::new().await;
    let id = world.registration_link(DOMAIN, "someone", "someone@yandex.ru").await;
    let confirm = format!("{REGISTER}/{id}");
    let (malformed, media, large) = (MALFORMED, UNSUPPORTED_MEDIA_TYPE, TOO_LARGE);
    for (method, path, good) in [
        ("POST", REGISTER, registration_form(&[]).to_string()),
        ("PATCH", &confirm, json!({ "pwd": PASSWORD }).to_string()),
    ] {
        let ask = |content_type: &str, body: Vec<u8>| world.request(method, path).body(content_type, body).send();
        for body in no_objects() {
            let shown = String::from_utf8_lossy(&body).chars().take(80).collect::<String>();
            let got = ask("application/json", body).await;
            assert_eq!(got.status, 400, "{method} {shown}: {}", got.body);
            era_refused(&got, 400, malformed);
        }
        for content_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "application/vnd.api+json",
            "multipart/form-data; boundary=x",
            "text/html; application/json",
        ] {
            era_refused(&ask(content_type, good.clone().into_bytes()).await, 415, media);
        }
        era_refused(&world.request(method, path).send().await, 415, media);
        era_refused(&ask("application/json", vec![b' '; 16_385]).await, 413, large);
        let mut most = good.clone().into_bytes();
        most.resize(16_384, b' ');
        let got = ask("Application/JSON ; charset=utf-8", most).await;
        assert_eq!(got.status, 200, "16 KiB are read: {got:?}");
    }
    assert_eq!(world.registration_requests().await, 1, "the second of the two");
    assert_eq!(world.messages().await.len(), 2);
    world.keep_out_of_logs(PASSWORD);
}

#[tokio::test]
async fn a_mail_contains_no_text_from_strangers() {
    let world = World::new().await;
    let long = "ж".repeat(128);
    for (n, name) in [
        "https://evil.example/win",
        "<a href=\"//evil.example\">Click</a><script>",
        "{{domain}} {domain} {link} ${x} %s",
        "Bcc: eve@evil.example",
        "O'Hara \"&amp;\" =?utf-8?q?evil?=",
        &long,
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("evil{n}{{{{x}}}}@yandex.ru");
        let body = registration_form(&[
            ("login", json!(format!("evil{n}"))),
            ("name", json!(name)),
            ("email", json!(email)),
        ]);
        world.post(REGISTER).json(&body).with_new_address().send().await.is(200, CHECK_MAIL);
        let mails = world.messages().await;
        assert_eq!((mails.len(), &mails[n]["to"]), (n + 1, &json!(email)), "one recipient");
        for part in ["subject", "text", "html"] {
            let text = mails[n][part].as_str().expect("a part");
            for given in ["evil", "script", "{", "Bcc", "Hara", "жж"] {
                assert!(!text.contains(given), "{given} in {text}");
            }
        }
        // In the account, it is stored verbatim.
        let id = world.link_to(&email).await;
        world.confirm_registration(&id, PASSWORD).await.ok(200);
        assert_eq!(world.accounts(&format!("evil{n}")).await[0]["name"]["S"], name);
    }
}

#[tokio::test]
async fn a_mail_is_in_the_domains_language() {
    let world = World::new().await;
    for (locale, subject) in [
        ("ru", "Подтвердите регистрацию на club.example"),
        ("uk-UA", "Підтвердьте реєстрацію на club.example"),
        ("tlh", "Confirm your registration at club.example"),
    ] {
        world.allow_registration("club.example", json!({ "locale": locale })).await;
        let email = format!("{locale}@yandex.ru");
        world.registration_link("club.example", locale, &email).await;
        assert_eq!(world.mails_to(&email).await[0]["subject"], subject);
    }
}
