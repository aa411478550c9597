//! The content of a text message (docs/contract.md, Second factors and tokens, OTP; docs/security.md R32).

use serde_json::json;

use crate::support::{
    factors::person_awaiting_phone,
    login::password_grant,
    people::{DOMAIN, PHONE},
    world::World,
};

impl World {
    /// The newest message to a number, with `X` for each digit of its code.
    async fn said_to(&self, phone: &str) -> String {
        let text = self.sms_to(phone).await.pop().expect("a message");
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        assert!(is_one_segment(&text), "{text}");
        text.replace(&digits[..6], "XXXXXX")
    }
}

/// Whether a message is sent, and billed, as one (3GPP TS 23.038): 160 characters of plain ASCII, or 70 of any.
fn is_one_segment(text: &str) -> bool {
    // In the GSM alphabet these take two places.
    let places = |c: char| if "^{}\\[~]|".contains(c) { 2 } else { 1 };
    match text.is_ascii() && !text.contains('`') {
        true => text.chars().map(places).sum::<usize>() <= 160,
        false => text.encode_utf16().count() <= 70,
    }
}

#[tokio::test]
async fn the_default_text_has_the_code_its_purpose_and_its_origin() {
    let world = World::new().await;
    let demo = world.demo();
    for (n, [locale, sign_in, confirm]) in [
        [
            "en",
            "XXXXXX is your code to sign in.",
            "XXXXXX is your code to confirm this number.",
        ],
        ["ru", "XXXXXX — код для входа.", "XXXXXX — код подтверждения номера."],
        ["uk", "XXXXXX — код для входу.", "XXXXXX — код підтвердження номера."],
        [
            "xx",
            "XXXXXX is your code to sign in.",
            "XXXXXX is your code to confirm this number.",
        ],
    ]
    .into_iter()
    .enumerate()
    {
        world.allow_registration(DOMAIN, json!({ "locale": locale })).await;
        world.sign_in(&demo, &demo.password).await.ok(201);
        assert_eq!(world.said_to(PHONE).await, format!("{sign_in}\n\n@{DOMAIN} #XXXXXX"));
        let (_, login) = person_awaiting_phone(&world, &format!("maria{n}")).await;
        let phone = format!("+38088123454{n}");
        world.init_factor(&login, &phone).await.ok(201);
        assert_eq!(world.said_to(&phone).await, format!("{confirm}\n\n@{DOMAIN} #XXXXXX"));
        world.advance(61).await;
    }
}

#[tokio::test]
async fn a_message_contains_no_text_from_users() {
    let world = World::new().await;
    let mut taken = 0;
    for (n, name) in [
        "http://evil.example",
        "<b>now</b>",
        "{code} {{7*7}} <otp.code>",
        "Call +1 202 555 0100",
    ]
    .into_iter()
    .enumerate()
    {
        let (email, password, phone) = (format!("m{n}@yandex.ru"), "ew!hIb3V-x", format!("+38088123470{n}"));
        world.keep_phone_out_of_logs(&phone);
        let body = json!({ "email": email, "login": format!("m{n}"), "name": name, "password": password });
        let got = world.post_user(world.admin(), &body).await;
        if got.status == 201 {
            let id = got.json()["data"]["id"].clone();
            let set = json!({ "command": "set_factor", "user_id": id, "type": "SMS", "factor": phone });
            assert!(world.run_command(set).await["factor_id"].is_string());
            world.request_token(password_grant(&email, password)).await.ok(201);
            let words = format!("XXXXXX is your code to sign in.\n\n@{DOMAIN} #XXXXXX");
            assert_eq!(world.said_to(&phone).await, words);
            taken += 1;
        }
    }
    assert!(taken > 0, "some of them are names");
}

#[tokio::test]
async fn the_text_of_a_message_is_configurable() {
    let line = format!("\n\n@{DOMAIN} #XXXXXX");
    let by_language = r#"{"ru":"Код <otp.code>","en":"<otp.code> it is, <otp.code>"}"#;
    for (template, said) in [
        (
            "Your code: <otp.code>",
            [
                ("en", format!("Your code: XXXXXX{line}")),
                ("ru", format!("Your code: XXXXXX{line}")),
            ],
        ),
        // The original's template for the bare code.
        ("Your code", [("en", "XXXXXX".to_owned()), ("uk", "XXXXXX".to_owned())]),
        (
            by_language,
            [
                ("ru", format!("Код XXXXXX{line}")),
                ("en", format!("XXXXXX it is, XXXXXX{line}")),
            ],
        ),
        // In a language without a template our own text is sent.
        (
            by_language,
            [
                ("uk", format!("XXXXXX — код для входу.{line}")),
                ("en", format!("XXXXXX it is, XXXXXX{line}")),
            ],
        ),
    ] {
        let world = World::with(&[("OtpSmsTemplate", template)]).await;
        let demo = world.demo();
        for (locale, words) in said {
            world.allow_registration(DOMAIN, json!({ "locale": locale })).await;
            world.sign_in(&demo, &demo.password).await.ok(201);
            assert_eq!(world.said_to(PHONE).await, words, "{template} in {locale}");
        }
    }
}

#[tokio::test]
async fn the_length_of_a_code_is_configurable() {
    let world = World::with(&[("OtpLength", "8")]).await;
    let demo = world.demo();
    let (token, code) = world.begin_login(&demo).await;
    let text = world.sms_to(PHONE).await.pop().expect("a message");
    assert_eq!(text, format!("{code} is your code to sign in.\n\n@{DOMAIN} #{code}"));
    assert_eq!(code.len(), 8);
    assert_eq!(world.submit_code(&token, &code[..6]).await.status, 422);
    world.submit_code(&token, &code).await.ok(201);
}
