//! `grant_type=authorize_2fa_access_token` and `refresh_2fa_access_token` of `POST /mithril/api/tokens`
//! (docs/contract.md, Second factors and tokens): a code completes a login, and another code replaces it.

use serde_json::{Value, json};

use crate::support::{
    login::{api_grant, other_than, password_grant, token_in},
    mithril::{
        API, TOKENS, refused, token_expired, token_invalid, token_invalid_type, too_many_sends, user_blocked,
        wrong_code,
    },
    requests::Response,
    words::{BLANK, CODE_EXPIRED, FACTOR_NOT_SET, INVALID_FORMAT, NO_AUTHORIZATION, NO_FACTOR, SMS_UNSENT},
    world::World,
};

fn count(row: &Value, name: &str) -> u64 {
    row[name]["N"].as_str().and_then(|text| text.parse().ok()).expect("a number")
}

#[tokio::test]
async fn a_malformed_code_does_not_count_as_an_attempt() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, code) = world.begin_login(&demo).await;
    let before = world.state().await;
    world.invocations().await;
    let spaced = format!("{code} ");
    for (otp, rule) in [
        (json!("12345"), "format"),
        (json!("1234567"), "format"),
        (json!(1_000_000), "format"),
        (json!(-1), "format"),
        (json!(12345.5), "format"),
        (json!(spaced), "format"),
        (json!("+12345"), "format"),
        (json!("0x1234"), "format"),
        (json!("١٢٣٤٥٦"), "format"),
        (json!("１２３４５６"), "format"),
        (json!([code]), "format"),
        (json!({ "otp": code }), "format"),
        (json!(true), "format"),
        (json!("9".repeat(10_000)), "format"),
        (json!(""), "required"),
        (Value::Null, "required"),
    ] {
        let body = json!({ "grant_type": "authorize_2fa_access_token", "token": token, "otp": otp });
        let invalid = world.request_token(body).await.ok(422)["error"]["invalid"].take();
        let described = match rule {
            "format" => json!({ "rule": rule, "params": ["^[0-9]{6}$"], "description": INVALID_FORMAT }),
            _ => json!({ "rule": rule, "params": [], "description": BLANK }),
        };
        let entry = json!({ "entry_type": "json_data_property", "entry": "$.otp", "rules": [described] });
        assert_eq!(invalid, json!([entry]), "{otp}");
    }
    for invocation in world.invocations().await {
        assert_eq!(invocation["calls"], json!([]), "refused before any call: {invocation}");
    }
    assert_eq!(world.state().await, before);
    token_in(&world.submit_code(&token, &code).await);
}

#[tokio::test]
async fn a_code_keeps_its_leading_zeros_and_may_come_as_a_number() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, code) = loop {
        let (token, code) = world.begin_login(&demo).await;
        if code.starts_with('0') {
            break (token, code);
        }
        // Within the daily limit of twenty.
        world.advance(86_400 / 20 + 10).await;
    };
    let stripped = code.trim_start_matches('0');
    assert_eq!(world.submit_code(&token, stripped).await.status, 422);
    let number: u32 = code.parse().expect("digits");
    let body = json!({ "grant_type": "authorize_2fa_access_token", "otp": number });
    // A token in the header takes precedence over one in the body.
    let ask = |body: &Value, token: &str| world.post(TOKENS).bearer(token).json(body).send();
    let mut beside = body.clone();
    beside["token"] = token.clone().into();
    token_invalid(&ask(&beside, "none").await);
    let got = ask(&body, &token).await;
    assert_eq!(got.ok(201)["urgent"]["next_step"], "REQUEST_APPS");
    world.keep_out_of_logs(&token_in(&got));
    let row = world.code_row(&demo).await;
    assert_eq!((row["status"]["S"].as_str(), &row["mac"]), (Some("VERIFIED"), &Value::Null));
    token_expired(&world.submit_code(&token, &code).await);
}

#[tokio::test]
async fn only_a_token_awaiting_a_code_continues_a_login() {
    let world = World::new().await;
    let (demo, admin) = (world.demo(), world.demo_admin());
    let empty = world.create_person("empty").await;
    let path = format!("{API}/users/{}/authentication_factors", empty.id);
    let made = world.post(&path).bearer(world.admin()).json(&json!({ "type": "SMS" }));
    made.send().await.ok(201);
    let token = token_in(&world.sign_in(&empty, &empty.password).await);
    let phone = json!({ "type": "SMS", "factor": "+380881234539" });
    let init = world.request("PATCH", &format!("{API}/users/actions/init_factor")).bearer(&token);
    let approval = token_in(&init.json(&phone).send().await);
    world.keep_out_of_logs(&approval);
    let access = token_in(&world.request_token(api_grant(&admin)).await);
    let (old, _) = world.begin_login(&demo).await;
    let (token, code) = world.begin_login(&demo).await;
    let unknown = format!("{}x", &token[..token.len() - 1]);
    type Check = fn(&Response);
    let cases: [(&str, Check); 9] = [
        ("", |got| refused(got, 401, "access_denied", NO_AUTHORIZATION)),
        ("none", |got| token_invalid(got)),
        (&token[1..], |got| token_invalid(got)),
        (&unknown, |got| token_invalid(got)),
        (world.passcode_token(), |got| token_invalid_type(got)),
        (&old, |got| token_expired(got)),
        (&access, |got| token_invalid_type(got)),
        (world.user(), |got| token_invalid_type(got)),
        (&approval, |got| token_invalid_type(got)),
    ];
    for (given, check) in cases {
        check(&world.submit_code(given, &code).await);
        check(&world.refresh_login(given).await);
    }
    assert_eq!(world.failure_counts(&demo).await, ("0".into(), "0".into()), "none of them was a guess");
    // Neither works as an access token (R35).
    for given in [&token, &approval] {
        assert!(!world.token_works(given).await);
    }
    token_in(&world.submit_code(&token, &code).await);
}

#[tokio::test]
async fn codes_and_logins_expire() {
    let world = World::new().await;
    let demo = world.demo();
    let before = world.now().await;
    let (token, code) = world.begin_login(&demo).await;
    let ends = count(&world.code_row(&demo).await, "expires_at");
    assert!((before + 300..=before + 330).contains(&ends), "{ends} at {before}");
    world.advance(ends - 10 - world.now().await).await;
    wrong_code(&world.submit_code(&token, &other_than(&code)).await);
    world.advance(ends - world.now().await).await;
    let too_late = |got: &Response| refused(got, 401, "otp_expired", CODE_EXPIRED);
    too_late(&world.submit_code(&token, &code).await);
    let row = world.code_row(&demo).await;
    assert_eq!((row["status"]["S"].as_str(), &row["mac"]), (Some("EXPIRED"), &Value::Null));
    assert_eq!(count(&row, "attempts"), 1, "an expired code is not compared");
    too_late(&world.submit_code(&token, &other_than(&code)).await);
    assert_eq!(world.failure_counts(&demo).await, ("0".into(), "3".into()), "each is a failure");

    // The login continues with another code until its own expiry, however often it is renewed (R37).
    let got = world.refresh_login(&token).await;
    let (token, code) = (token_in(&got), world.code_to("+380881234530").await);
    let login_ends = got.json()["data"]["expires_at"].as_u64().expect("epoch seconds");
    assert!((ends + 298..=ends + 302).contains(&login_ends), "{login_ends}, code {ends}");
    world.advance(login_ends - world.now().await).await;
    token_expired(&world.submit_code(&token, &code).await);
    token_expired(&world.refresh_login(&token).await);
    assert_eq!(world.failure_counts(&demo).await, ("0".into(), "3".into()), "that was no guess");
    // A block is reported first.
    world.run_command(json!({ "command": "block_user", "user_id": demo.id })).await;
    user_blocked(&world.submit_code(&token, &code).await);
    user_blocked(&world.refresh_login(&token).await);
}

#[tokio::test]
async fn renewing_a_login_every_minute_does_not_extend_it() {
    let world = World::new().await;
    let demo = world.demo();
    let got = world.sign_in(&demo, &demo.password).await;
    let (mut token, ends) = (token_in(&got), got.json()["data"]["expires_at"].clone());
    for _ in 0..9 {
        world.advance(60).await;
        let got = world.refresh_login(&token).await;
        assert_eq!(got.ok(201)["data"]["expires_at"], ends);
        token = token_in(&got);
    }
    world.advance(60).await;
    token_expired(&world.submit_code(&token, &world.code_to("+380881234530").await).await);
    token_expired(&world.refresh_login(&token).await);
}

#[tokio::test]
async fn the_length_of_codes_and_all_lifetimes_are_configurable() {
    let world = World::with(&[
        ("OtpLength", "8"),
        ("OtpLifetime", "30"),
        ("SecondFactorTokenLifetime", "60"),
        ("AccessTokenLifetime", "300"),
    ])
    .await;
    let demo = world.demo();
    let (token, code) = world.begin_api_login(&demo).await;
    assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    assert_eq!(world.submit_code(&token, &code[..6]).await.status, 422);
    let opened = token_in(&world.submit_code(&token, &code).await);
    world.advance(290).await;
    assert!(world.token_works(&opened).await);
    world.advance(10).await;
    assert!(!world.token_works(&opened).await);
    let (token, code) = world.begin_api_login(&demo).await;
    world.advance(30).await;
    let got = world.submit_code(&token, &code).await;
    refused(&got, 401, "otp_expired", CODE_EXPIRED);
    world.advance(30).await;
    token_expired(&world.submit_code(&token, &code).await);
}

#[tokio::test]
async fn old_keys_verify_codes_new_keys_sign_them_and_lost_keys_fail_closed() {
    let secret = "countersign-OtpKeys";
    let world = World::durable().await;
    let (demo, maria) = (world.demo(), world.create_person_with("maria", "+380881234531").await);
    let (token, code) = world.begin_login(&demo).await;
    let (other, other_code) = world.begin_login(&maria).await;
    let mut keys = world.keys(secret).await;
    keys["2"] = "a second key, as a rotation would add it, 64 characters or so".into();
    world.set_keys(secret, &keys).await;
    let world = world.restarted().await;
    assert_eq!(world.code_row(&demo).await["key_id"]["N"], "1");
    token_in(&world.submit_code(&token, &code).await);
    let (token, code) = world.begin_login(&demo).await;
    assert_eq!(world.code_row(&demo).await["key_id"]["N"], "2", "the new key signs what is new");
    world.set_keys(secret, &json!({ "2": keys["2"] })).await;
    let world = world.restarted().await;
    wrong_code(&world.submit_code(&other, &other_code).await);
    token_in(&world.submit_code(&token, &code).await);
}

#[tokio::test]
async fn a_login_is_checked_against_the_current_factor() {
    let world = World::new().await;
    let demo = world.demo();
    world.advance(2).await;
    let (token, code) = world.begin_login(&demo).await;
    for (action, message) in [("disable", NO_FACTOR), ("enable", ""), ("reset", FACTOR_NOT_SET)] {
        world.switch_factor_as_admin(&demo, action).await;
        if message.is_empty() {
            // The factor has changed since the code was sent.
            wrong_code(&world.submit_code(&token, &code).await);
            continue;
        }
        let sent = world.sms_to("+380881234530").await.len();
        refused(&world.submit_code(&token, &code).await, 409, "request_conflict", message);
        refused(&world.refresh_login(&token).await, 409, "request_conflict", message);
        assert_eq!(world.sms_to("+380881234530").await.len(), sent);
    }
    assert_eq!(world.failure_counts(&demo).await, ("0".into(), "1".into()));
}

#[tokio::test]
async fn a_correct_code_resets_earlier_failures() {
    let world = World::new().await;
    let demo = world.demo();
    for _ in 0..2 {
        let (token, code) = world.begin_login(&demo).await;
        for _ in 0..2 {
            wrong_code(&world.submit_code(&token, &other_than(&code)).await);
        }
        assert_eq!(world.failure_counts(&demo).await, ("0".into(), "2".into()));
        assert_eq!(count(&world.code_row(&demo).await, "attempts"), 2);
        token_in(&world.submit_code(&token, &code).await);
        assert_eq!(world.failure_counts(&demo).await, ("0".into(), "0".into()));
    }
}

#[tokio::test]
async fn a_code_is_compared_at_most_three_times() {
    let world = World::with(&[("UserOtpErrorMax", "50")]).await;
    let demo = world.demo();
    let (token, code) = world.begin_login(&demo).await;
    for _ in 0..3 {
        wrong_code(&world.submit_code(&token, &other_than(&code)).await);
    }
    for given in [&code, &other_than(&code), &code] {
        let got = world.submit_code(&token, given).await;
        refused(&got, 401, "otp_reached_max_attempts", "Reached max OTP verify attempts");
    }
    let row = world.code_row(&demo).await;
    assert_eq!((row["status"]["S"].as_str(), &row["mac"]), (Some("UNVERIFIED"), &Value::Null));
    assert_eq!(count(&row, "attempts"), 3);
    assert_eq!(world.failure_counts(&demo).await, ("0".into(), "6".into()));
    // Each code has its own three attempts.
    let token = token_in(&world.refresh_login(&token).await);
    let code = world.code_to("+380881234530").await;
    wrong_code(&world.submit_code(&token, &other_than(&code)).await);
    token_in(&world.submit_code(&token, &code).await);
}

#[tokio::test]
async fn a_new_code_replaces_the_earlier_one() {
    let world = World::new().await;
    let demo = world.demo();
    let (first, old) = world.begin_login(&demo).await;
    let got = world.refresh_login(&first).await;
    let (second, code) = (token_in(&got), world.code_to("+380881234530").await);
    assert_ne!(old, code);
    for given in [&old, &code] {
        token_expired(&world.submit_code(&first, given).await);
    }
    token_expired(&world.refresh_login(&first).await);
    wrong_code(&world.submit_code(&second, &old).await);
    // The grant has an alias, too.
    let got = world.request_token(json!({ "grant_type": "resend_otp", "token": second })).await;
    let expected = json!({ "grant_type": "refresh_2fa_access_token", "client_id": "heatclinic", "scope": "" });
    assert_eq!(got.ok(201)["data"]["details"], expected);
    assert_eq!(got.json()["urgent"], json!({ "next_step": "REQUEST_OTP" }));
    too_many_sends(&world.request_token(json!({ "grant_type": "resend_otp", "token": token_in(&got) })).await, 60);
    world.advance(60).await;
    let third = token_in(
        &world
            .request_token(json!({ "token": { "grant_type": "resend_otp", "token": token_in(&got) } }))
            .await,
    );
    token_in(&world.submit_code(&third, &world.code_to("+380881234530").await).await);
}

#[tokio::test]
async fn late_reuse_of_a_replaced_token_revokes_the_login() {
    let world = World::new().await;
    let person = world.demo();
    for use_it in ["authorize", "refresh", "create_otp", "init_factor"] {
        for (later, is_theft) in [(0, false), (11, true)] {
            let (first, _) = world.begin_login(&person).await;
            let second = token_in(&world.refresh_login(&first).await);
            let code = world.code_to("+380881234530").await;
            world.advance(later).await;
            token_expired(&match use_it {
                "authorize" => world.submit_code(&first, &code).await,
                "create_otp" => world.resend_code(&person, &first).await,
                "init_factor" => world.init_factor(&first, "+380881234599").await,
                _ => world.refresh_login(&first).await,
            });
            let got = world.submit_code(&second, &code).await;
            match is_theft {
                true => token_expired(&got),
                false => drop(token_in(&got)),
            }
            world.advance(3_600).await;
        }
    }
    // A login replaced by a newer login is not treated as token theft.
    let (first, _) = world.begin_login(&person).await;
    let (second, code) = world.begin_login(&person).await;
    world.advance(11).await;
    token_expired(&world.refresh_login(&first).await);
    token_in(&world.submit_code(&second, &code).await);
}

#[tokio::test]
async fn a_token_stays_valid_if_its_code_could_not_be_sent() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, code) = world.begin_login(&demo).await;
    world
        .inject(json!({ "service": "sns", "operation": null, "kind": "error", "skip": 0, "times": 1000 }))
        .await;
    for _ in 0..3 {
        let got = world.refresh_login(&token).await;
        refused(&got, 503, "internal_error", SMS_UNSENT);
    }
    world.clear_faults().await;
    // The failed sends are refunded; the code that they replaced is revoked.
    wrong_code(&world.submit_code(&token, &code).await);
    let second = token_in(&world.refresh_login(&token).await);
    token_expired(&world.submit_code(&token, &code).await);
    let third = token_in(&world.refresh_login(&second).await);
    let code = world.code_to("+380881234530").await;
    for _ in 0..2 {
        too_many_sends(&world.refresh_login(&third).await, 60);
    }
    assert_eq!(world.sms_to("+380881234530").await.len(), 3);
    too_many_sends(&world.request_token(password_grant(&demo.email, &demo.password)).await, 60);
    token_in(&world.submit_code(&third, &code).await);
}
