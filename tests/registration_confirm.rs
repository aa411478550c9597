//! Following a registration's link: the account, the password, the link's expiry (docs/contract.md, Registration and
//! password reset).

use serde_json::{Value, json};

use crate::support::{
    clock::DAY,
    era::{CHECK_MAIL, era_refused, field_refused, password_set},
    people::DOMAIN,
    registration::{PASSWORD, REGISTER, registration_form},
    words::{
        EMAIL_TAKEN, LOGIN_TAKEN, LOGIN_UNEXPECTED, NO_REQUEST, OPTS_UNEXPECTED, PASSWORD_COMMON, PASSWORD_DIGITS,
        PASSWORD_NOT_STRING, PASSWORD_OVER_64, PASSWORD_OVER_128, PASSWORD_REQUIRED, PASSWORD_SYMBOLS,
        PASSWORD_TOO_SHORT, WRONG_PASSWORD,
    },
    world::World,
};

#[tokio::test]
async fn an_account_has_the_domains_template_and_the_registered_data() {
    let world = World::new().await;
    let opts =
        json!({ "plan": "trial", "quota": -5, "vip": false, "email": "x@evil.example", "self_registered": false });
    let template = json!({ "self_register_template": { "opts": opts } });
    world.allow_registration("club.example", template).await;
    let body = registration_form(&[
        ("domain", json!("Club.Example")),
        ("login", json!("Masha")),
        ("email", json!("Masha.I@Пример.рф")),
    ]);
    world.post(REGISTER).json(&body).send().await.is(200, CHECK_MAIL);
    let id = world.link_to("Masha.I@xn--e1afmkfd.xn--p1ai").await;
    let before = world.now().await;
    let got = world.confirm_registration(&id, PASSWORD).await;
    let after = world.now().await;
    got.is(
        200,
        r#"{"error_code":0,"result":true,"result_msg":"Now login with new password","user":{"domain":"club.example","login":"Masha"}}"#,
    );
    let accounts = world.accounts("Masha").await;
    let [account] = accounts.as_slice() else {
        panic!("one account: {accounts:?}")
    };
    let mut account = account.clone();
    let looks = account["looks"]["L"].take();
    assert_eq!(looks.as_array().map(Vec::len), Some(3), "as it is shown, small and in capitals");
    let password = account["password"]["S"].take();
    let password = password.as_str().expect("a text");
    assert!(password.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{password}");
    let id = account["user_id"]["S"].take();
    let id = id.as_str().expect("a text");
    assert!(id.len() == 36 && id.as_bytes()[14] == b'4', "a random id: {id}");
    let at: u64 = account["inserted_at"]["N"].as_str().expect("N").parse().expect("a number");
    assert!((before..=after).contains(&at), "{at}");
    assert_eq!(account["updated_at"], account["inserted_at"]);
    for time in ["inserted_at", "updated_at"] {
        account[time] = Value::Null;
    }
    assert_eq!(
        account,
        json!({
            "user_id": { "S": null },
            "domain": { "S": "club.example" },
            "login": { "S": "Masha" },
            "looks": { "L": null },
            "name": { "S": "My Name" },
            "email": { "S": "Masha.I@xn--e1afmkfd.xn--p1ai" },
            "password": { "S": null },
            "opts": { "M": {
                "plan": { "S": "trial" }, "quota": { "N": "-5" }, "vip": { "BOOL": false },
                "email": { "S": "Masha.I@xn--e1afmkfd.xn--p1ai" }, "self_registered": { "BOOL": true },
            } },
            "is_admin": { "BOOL": false },
            "token_generation": { "N": "0" },
            "inserted_at": null,
            "updated_at": null,
            "changed_by": { "S": "" },
            "lockout": { "M": { "passwords": { "N": "0" }, "otps": { "N": "0" } } },
            "client_sessions": { "M": {} },
        })
    );
}

#[tokio::test]
async fn an_unknown_link_is_not_found() {
    let world = World::new().await;
    let id = world.registration_link(DOMAIN, "someone", "someone@yandex.ru").await;
    let seed = "19738eb3-0183-b148-9420-7cd30a921f58";
    for (name, message) in [
        (seed.to_owned(), "a version that there is not"),
        ("00000000-0000-0000-0000-000000000000".into(), "nil"),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff".into(), "max"),
        (id.replace('-', ""), "another form"),
        (format!("%7B{id}%7D"), "another form"),
        (format!("urn:uuid:{id}"), "another form"),
        (format!("{id}0"), "longer"),
        (id[1..].to_owned(), "shorter"),
        (format!("%20{id}"), "a space"),
        (format!("{id}%00"), "NUL"),
        (format!("{id}%0A"), "a line's end"),
        (id.replacen(|c: char| c.is_ascii_digit(), "%D9%A1", 1), "an Arabic digit"),
        ("%F0%9F%94%91".into(), "a key"),
        ("x".repeat(2000), "long"),
    ] {
        let got = world.confirm_registration(&name, PASSWORD).await;
        assert_eq!(got.status, 404, "{message}: {got:?}");
        era_refused(&got, 404, NO_REQUEST);
    }
    // An invalid body is reported first.
    field_refused(&world.follow_registration(seed).json(&json!({})).send().await, "pwd", PASSWORD_REQUIRED);
    assert_eq!(world.registration_requests().await, 1);
    password_set(&world.confirm_registration(&id.to_uppercase(), PASSWORD).await, "someone");
}

#[tokio::test]
async fn only_a_patch_consumes_a_link() {
    let world = World::new().await;
    let id = world.registration_link(DOMAIN, "someone", "someone@yandex.ru").await;
    let api = format!("{REGISTER}/{id}");
    for path in [api.as_str(), "/app-root"] {
        for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE"] {
            for _ in 0..3 {
                let ask = world.request(method, path).json(&json!({ "pwd": PASSWORD }));
                let got = ask.header("x-http-method-override", "PATCH").send_unchecked().await;
                assert!(path != api || got.status == 405, "{method} {got:?}");
            }
        }
    }
    era_refused(&world.get(&api).send().await, 405, "method not allowed");
    for query in ["?pwd=ew!hIb3V", "?_method=PATCH"] {
        let got = world.post(&format!("{api}{query}")).send().await;
        assert_eq!((got.status, got.header("allow")), (405, Some("PATCH")));
    }
    password_set(&world.confirm_registration(&id, PASSWORD).await, "someone");
}

#[tokio::test]
async fn a_link_expires_after_24_hours_even_if_its_row_is_still_stored() {
    let world = World::new().await;
    let before = world.now().await;
    let id = world.registration_link(DOMAIN, "someone", "someone@yandex.ru").await;
    let after = world.now().await;
    let end: u64 = world.rows("RegistrationRequestsTable").await[0]["ttl"]["N"]
        .as_str()
        .expect("N")
        .parse()
        .expect("a number");
    assert!((before + DAY..=after + DAY).contains(&end), "{end}");
    // A refused password does not consume the request, to the last second.
    world.advance(DAY - 10).await;
    loop {
        let begun = world.now().await;
        let got = world.confirm_registration(&id, "short").await;
        let done = world.now().await;
        assert!(got.status == 412 || done >= end, "{begun} {done} {end} {got:?}");
        assert!(got.status == 404 || begun < end, "{begun} {done} {end} {got:?}");
        if begun >= end {
            break;
        }
        world.advance(1).await;
    }
    era_refused(&world.confirm_registration(&id, PASSWORD).await, 404, NO_REQUEST);
    assert_eq!(world.registration_requests().await, 1, "the broom has not come yet");
    world.sweep().await;
    assert_eq!(world.registration_requests().await, 0);
    era_refused(&world.confirm_registration(&id, PASSWORD).await, 404, NO_REQUEST);
    assert_eq!(world.accounts("someone").await.len(), 0);
}

#[tokio::test]
async fn a_registration_request_is_kept_until_it_succeeds() {
    let world = World::new().await;
    let id = world.registration_link(DOMAIN, "someone", "someone@yandex.ru").await;
    for (body, field, message) in [
        (json!({}), "pwd", PASSWORD_REQUIRED),
        (json!({ "pwd": null }), "pwd", PASSWORD_REQUIRED),
        (json!({ "pwd": "" }), "pwd", PASSWORD_REQUIRED),
        (json!({ "pwd": 12_345_678 }), "pwd", PASSWORD_NOT_STRING),
        (json!({ "pwd": [PASSWORD] }), "pwd", PASSWORD_NOT_STRING),
        (json!({ "pwd": PASSWORD, "login": "admin" }), "login", LOGIN_UNEXPECTED),
        (json!({ "pwd": PASSWORD, "opts": { "is_admin": true } }), "opts", OPTS_UNEXPECTED),
    ] {
        field_refused(&world.follow_registration(&id).json(&body).send().await, field, message);
    }
    // Another user takes the login.
    world.create_account("SOMEONE", "other@yandex.ru", PASSWORD).await;
    for pwd in [PASSWORD, "short"] {
        field_refused(&world.confirm_registration(&id, pwd).await, "login", LOGIN_TAKEN);
    }
    assert_eq!(world.registration_requests().await, 1);
    // Closing a domain disables its requests; they work again when it reopens.
    let third = world.registration_link(DOMAIN, "third", "third@yandex.ru").await;
    world.run_command(json!({ "command": "set_domain", "domain": DOMAIN })).await;
    for id in [&id, &third] {
        era_refused(&world.confirm_registration(id, PASSWORD).await, 404, NO_REQUEST);
    }
    assert_eq!(world.registration_requests().await, 2);
    world.allow_registration(DOMAIN, json!({})).await;
    password_set(&world.confirm_registration(&third, PASSWORD).await, "third");
    assert_eq!(world.accounts("someone").await.len(), 0);
}

#[tokio::test]
async fn a_mail_address_has_one_account_in_a_domain() {
    let world = World::new().await;
    let first = world.registration_link(DOMAIN, "first", "same@yandex.ru").await;
    world.advance(120).await;
    let second = world.registration_link(DOMAIN, "second", "Same@yandex.ru").await;
    password_set(&world.confirm_registration(&first, PASSWORD).await, "first");
    field_refused(&world.confirm_registration(&second, PASSWORD).await, "email", EMAIL_TAKEN);
    assert_eq!((world.registration_requests().await, world.accounts("second").await.len()), (1, 0));
    // In another domain it is free.
    world.allow_registration("club.example", json!({})).await;
    world.advance(240).await;
    let other = world.registration_link("club.example", "first", "same@yandex.ru").await;
    world.confirm_registration(&other, PASSWORD).await.ok(200);
    assert_eq!(world.accounts("first").await.len(), 2);
}

/// Tries the passwords in turn on one link of a domain: each is refused with its message, the last is accepted.
async fn weigh(world: &World, domain: &str, refused: &[(&str, &str)], taken: &str) {
    let id = world.registration_link(domain, "someone", &format!("someone@{domain}")).await;
    for (pwd, message) in refused {
        field_refused(&world.confirm_registration(&id, pwd).await, "pwd", message);
    }
    world.confirm_registration(&id, taken).await.ok(200);
    let rows = world.all_rows().await;
    assert!(!rows.contains(taken), "{taken} is stored");
}

#[tokio::test]
async fn the_domain_determines_which_passwords_are_accepted() {
    let world = World::new().await;
    let symbols = PASSWORD_SYMBOLS;
    let (short, long) = (PASSWORD_TOO_SHORT, PASSWORD_OVER_128);
    let common = PASSWORD_COMMON;
    let most = "xY".repeat(64);
    weigh(
        &world,
        DOMAIN,
        &[
            ("ew!hIb3", short),
            ("ew!hIb3V@", symbols),
            ("ew!hIb3V ", symbols),
            ("ew!hIb3й", symbols),
            ("ｅw!hIb3V", symbols),
            ("ew!hIb3V\0", symbols),
            ("a b", symbols),
            (&format!("{most}z"), long),
            (&"ж".repeat(2000), long),
            ("password1", common),
            ("PassWord1", common),
            ("1q2w3e4r5t", common),
        ],
        &most,
    )
    .await;

    let digits = json!({ "password": { "alphabet": "0-9", "min": 8, "max": 64, "refuse_common": false } });
    world.allow_registration("digits.example", digits).await;
    let symbols = PASSWORD_DIGITS;
    let long = PASSWORD_OVER_64;
    let refused = [("ew!hIb3V", symbols), ("1234567", short), (&*"1".repeat(65), long)];
    weigh(&world, "digits.example", &refused, "1234567890").await;

    let any = json!({ "password": { "alphabet": null, "min": 15, "max": 256, "refuse_common": true } });
    world.allow_registration("any.example", any).await;
    let symbols = "pwd contains invalid symbols";
    let short = "pwd is too short. Expected: at least 15 characters";
    let long = "pwd is too long. Expected: at most 256 characters";
    let refused = [
        ("correct\thorse battery", symbols),
        ("верные лошади", short),
        // 15 code points as sent, 14 in normalized form.
        ("верные лошадии\u{306}", short),
        (&*"😀".repeat(257), long),
        ("123456789123456789", common),
    ];
    weigh(&world, "any.example", &refused, "верные лошади 🐎 и\u{306}").await;
    // In any normalization form it is the same password; in another letter case it is a different one.
    let accounts = world.accounts("someone").await;
    let account = accounts.iter().find(|account| account["domain"]["S"] == "any.example");
    let token = json!({ "user_id": account.expect("just made")["user_id"]["S"], "scopes": ["api"] });
    let token = world.create_token(token).await;
    let next = "correct horse battery";
    for wrong in ["Верные лошади 🐎 й", "верные лошади 🐎 и"] {
        let got = world.change_password(&token, wrong, next).await;
        field_refused(&got, "current_pwd", WRONG_PASSWORD);
    }
    world.change_password(&token, "верные лошади 🐎 й", next).await.ok(200);
}
