//! The life of a verification: docs/contract.md, Verify.

use serde_json::json;

use crate::support::{
    verify::{ADDRESS, NUMBER, not_found, refused, wrong},
    world::World,
};

#[tokio::test]
async fn a_number_is_verified_by_its_code_once() {
    let world = World::new().await;
    let app = world.application();
    let started = app.start(&world, NUMBER).await;
    let sid = started["sid"].as_str().expect("a SID");
    let attempt = &started["send_code_attempts"][0];
    let expected = json!({
        "sid": sid, "service_sid": app.service, "account_sid": app.account, "to": NUMBER, "channel": "sms",
        "status": "pending", "valid": false, "date_created": started["date_created"],
        "date_updated": started["date_created"], "lookup": {}, "amount": null, "payee": null,
        "send_code_attempts": [{
            "time": attempt["time"], "channel": "SMS", "attempt_sid": attempt["attempt_sid"],
        }],
        "sna": null, "url": format!("{}{}/Verifications/{sid}", world.url(), app.path()),
    });
    assert_eq!(started, expected);
    assert!(sid.starts_with("VE") && sid.len() == 34, "{sid}");
    let code = world.verification_code(NUMBER).await;
    let got = app.check(&world, NUMBER, &wrong(&code)).await.ok(200);
    let mut expected = json!({
        "sid": sid, "service_sid": app.service, "account_sid": app.account, "to": NUMBER, "channel": "sms",
        "status": "pending", "valid": false, "amount": null, "payee": null, "sna_attempts_error_codes": [],
        "date_created": started["date_created"], "date_updated": got["date_updated"],
    });
    assert_eq!(got, expected);
    let got = app.check(&world, NUMBER, &code).await.ok(200);
    expected["status"] = "approved".into();
    expected["valid"] = true.into();
    expected["date_updated"] = got["date_updated"].clone();
    assert_eq!(got, expected);
    let path = format!("{}/VerificationCheck", app.path());
    not_found(&app.check(&world, NUMBER, &code).await, &path);
}

#[tokio::test]
async fn an_address_is_verified_by_mail_and_by_its_sid() {
    let world = World::new().await;
    let app = world.application();
    let started = app.starting(&world, &[("To", ADDRESS), ("Channel", "email")]).send().await.ok(201);
    let sid = started["sid"].as_str().expect("a SID");
    assert_eq!(
        (&started["channel"], &started["send_code_attempts"][0]["channel"]),
        (&json!("email"), &json!("EMAIL"))
    );
    let code = world.verification_code(ADDRESS).await;
    let by_sid = [("VerificationSid", sid), ("Code", code.as_str())];
    let got = app.request(&world, "POST", "/VerificationCheck").form(&by_sid).send().await.ok(200);
    assert_eq!((&got["sid"], &got["status"]), (&json!(sid), &json!("approved")));
}

#[tokio::test]
async fn a_resend_repeats_the_code_of_the_same_verification() {
    let world = World::new().await;
    let app = world.application();
    let first = app.start(&world, NUMBER).await;
    let code = world.verification_code(NUMBER).await;
    world.advance(590).await;
    let second = app.start(&world, NUMBER).await;
    assert_eq!(second["sid"], first["sid"]);
    assert_eq!(second["send_code_attempts"].as_array().map(Vec::len), Some(2));
    assert_ne!(second["date_updated"], first["date_updated"]);
    assert_eq!(world.verification_code(NUMBER).await, code);
    world.advance(10).await;
    let third = app.start(&world, NUMBER).await;
    assert_ne!(third["sid"], first["sid"]);
}

#[tokio::test]
async fn a_verification_is_shown_by_sid_and_by_destination_while_it_is_open() {
    let world = World::new().await;
    let app = world.application();
    let started = app.start(&world, NUMBER).await;
    let sid = started["sid"].as_str().expect("a SID");
    for name in [sid, NUMBER, "%2B14155550142", &sid.to_uppercase()] {
        let path = format!("/Verifications/{name}");
        assert_eq!(app.request(&world, "GET", &path).send().await.ok(200), started, "{name}");
        assert_eq!(app.request(&world, "HEAD", &path).send_unchecked().await.status, 200);
    }
    world.advance(600).await;
    let path = format!("{}/Verifications/{sid}", app.path());
    not_found(&app.request(&world, "GET", &format!("/Verifications/{sid}")).send().await, &path);
}

#[tokio::test]
async fn an_account_cancels_or_approves_a_verification() {
    let world = World::new().await;
    let app = world.application();
    for status in ["canceled", "approved"] {
        let started = app.start(&world, NUMBER).await;
        let sid = started["sid"].as_str().expect("a SID");
        let code = world.verification_code(NUMBER).await;
        let path = format!("/Verifications/{sid}");
        let end = || app.request(&world, "POST", &path).form(&[("Status", status)]);
        let got = end().send().await.ok(200);
        let mut expected = started.clone();
        expected["status"] = status.into();
        expected["valid"] = (status == "approved").into();
        expected["date_updated"] = got["date_updated"].clone();
        assert_eq!(got, expected);
        not_found(&end().send().await, &format!("{}{path}", app.path()));
        not_found(&app.check(&world, NUMBER, &code).await, &format!("{}/VerificationCheck", app.path()));
    }
    let path = format!("/Verifications/{NUMBER}");
    let got = app.request(&world, "POST", &path).form(&[("Status", "pending")]).send().await;
    refused(&got, 400, 60200, "Invalid parameter: Status");
}

#[tokio::test]
async fn five_wrong_codes_end_a_verification_until_it_expires() {
    let world = World::new().await;
    let app = world.application();
    app.start(&world, NUMBER).await;
    let code = world.verification_code(NUMBER).await;
    for _ in 0..5 {
        assert_eq!(app.check(&world, NUMBER, &wrong(&code)).await.ok(200)["status"], "pending");
    }
    let got = app.check(&world, NUMBER, &code).await;
    refused(&got, 429, 60202, "Max check attempts reached");
    assert!((1..=600).contains(&got.retry_after()));
    world.advance(got.retry_after()).await;
    not_found(&app.check(&world, NUMBER, &code).await, &format!("{}/VerificationCheck", app.path()));
}

#[tokio::test]
async fn a_code_may_be_chosen_where_the_service_allows_it() {
    let world = World::new().await;
    let demo = world.application();
    let form = [("To", ADDRESS), ("Channel", "email"), ("CustomCode", "13579")];
    refused(&demo.starting(&world, &form).send().await, 403, 60204, "The service does not support this feature");
    let app = demo.service_with(&world, &[("CustomCodeEnabled", "true"), ("CodeLength", "8")]).await;
    app.starting(&world, &form).send().await.ok(201);
    assert_eq!(world.verification_code(ADDRESS).await, "13579");
    app.start(&world, ADDRESS).await;
    let code = world.verification_code(ADDRESS).await;
    assert_eq!(code.len(), 8);
    assert_eq!(app.check(&world, ADDRESS, "13579").await.ok(200)["valid"], false);
    assert_eq!(app.check(&world, ADDRESS, &code).await.ok(200)["valid"], true);
}

#[tokio::test]
async fn a_payment_is_authorized_only_with_its_amount_and_payee() {
    let world = World::new().await;
    let demo = world.application();
    let start = |amount: &'static str| {
        [
            ("To", ADDRESS),
            ("Channel", "email"),
            ("Amount", amount),
            ("Payee", "Shop"),
        ]
    };
    refused(
        &demo.starting(&world, &start("9.99 EUR")).send().await,
        403,
        60204,
        "The service does not support this feature",
    );
    let app = demo.service_with(&world, &[("Psd2Enabled", "true")]).await;
    let started = app.starting(&world, &start("9.99 EUR")).send().await.ok(201);
    assert_eq!((&started["amount"], &started["payee"]), (&json!("9.99 EUR"), &json!("Shop")));
    let code = world.verification_code(ADDRESS).await;
    let check = |amount: &'static str| {
        let form = [
            ("To", ADDRESS),
            ("Code", code.as_str()),
            ("Amount", amount),
            ("Payee", "Shop"),
        ];
        app.request(&world, "POST", "/VerificationCheck").form(&form)
    };
    assert_eq!(app.check(&world, ADDRESS, &code).await.ok(200)["valid"], false);
    assert_eq!(check("9.98 EUR").send().await.ok(200)["valid"], false);
    assert_eq!(check("9.99 EUR").send().await.ok(200)["status"], "approved");
    // Another amount is another verification.
    let other = app.starting(&world, &start("1 EUR")).send().await.ok(201);
    assert_ne!(other["sid"], started["sid"]);
}

#[tokio::test]
async fn an_invalid_parameter_is_named() {
    let world = World::new().await;
    let app = world.application();
    let number = ("To", NUMBER);
    let sms = ("Channel", "sms");
    for (form, name) in [
        (vec![sms], "To"),
        (vec![("To", "+1415"), sms], "To"),
        (vec![("To", ADDRESS), sms], "To"),
        (vec![number, ("Channel", "email")], "To"),
        (vec![number], "Channel"),
        (vec![number, ("Channel", "pigeon")], "Channel"),
        (vec![number, sms, ("Locale", "english")], "Locale"),
        (vec![number, sms, ("CustomCode", "123")], "CustomCode"),
        (vec![number, sms, ("Amount", "1")], "Payee"),
        (vec![number, sms, ("Payee", "Shop")], "Amount"),
        (vec![number, sms, ("CustomFriendlyName", "")], "CustomFriendlyName"),
        (vec![number, sms, ("AppHash", "short")], "AppHash"),
        (vec![number, sms, ("Tags", "[]")], "Tags"),
        (vec![number, sms, ("RateLimits", "x")], "RateLimits"),
        (vec![number, sms, ("RateLimits", r#"{"unknown":"1"}"#)], "RateLimits"),
    ] {
        let got = app.starting(&world, &form).send().await;
        refused(&got, 400, 60200, &format!("Invalid parameter: {name}"));
    }
    for (form, name) in [
        (vec![number], "Code"),
        (vec![number, ("Code", "12345678901")], "Code"),
        (vec![("Code", "123456")], "To"),
    ] {
        let got = app.request(&world, "POST", "/VerificationCheck").form(&form).send().await;
        refused(&got, 400, 60200, &format!("Invalid parameter: {name}"));
    }
    let form = [("VerificationSid", "VE1"), ("Code", "123456")];
    let got = app.request(&world, "POST", "/VerificationCheck").form(&form).send().await;
    refused(&got, 400, 60425, "The verification SID is not valid");
    let got = app.request(&world, "GET", "/Verifications/VE1").send().await;
    refused(&got, 400, 60425, "The verification SID is not valid");
    assert!(world.messages().await.is_empty());
}

#[tokio::test]
async fn a_channel_or_country_that_is_off_is_refused() {
    let world = World::new().await;
    let app = world.application();
    for channel in ["call", "whatsapp"] {
        let got = app.starting(&world, &[("To", NUMBER), ("Channel", channel)]).send().await;
        refused(&got, 400, 60223, "The delivery channel is disabled");
    }
    let got = app.starting(&world, &[("To", NUMBER), ("Channel", "sna")]).send().await;
    refused(&got, 403, 60204, "The service does not support this feature");
    let got = app.starting(&world, &[("To", "+33612345678"), ("Channel", "sms")]).send().await;
    refused(&got, 403, 60605, "Messages are not sent to this country");
}

#[tokio::test]
async fn a_message_has_the_name_the_code_and_the_origin_in_the_wanted_language() {
    let world = World::new().await;
    let app = world.application().service_with(&world, &[("DoNotShareWarningEnabled", "true")]).await;
    let start = async |more: &[(&str, &str)]| {
        let form = [&[("To", NUMBER), ("Channel", "sms")], more].concat();
        app.starting(&world, &form).send().await.ok(201);
        world.sms_to(NUMBER).await.pop().expect("a message")
    };
    let english = start(&[]).await;
    let code = world.verification_code(NUMBER).await;
    assert!(english.contains("Other") && english.contains(&code) && english.contains("share"), "{english}");
    assert!(english.ends_with(&format!("\n\n@pbx.era-platform.ru #{code}")), "{english}");
    let ukrainian = start(&[("Locale", "uk-UA"), ("CustomFriendlyName", "Крамниця")]).await;
    assert!(ukrainian.contains("Крамниця") && ukrainian.contains("Нікому не кажіть"), "{ukrainian}");
    let app_hash = start(&[("AppHash", "FA+9qCX9VSu")]).await;
    assert!(app_hash.ends_with("\nFA+9qCX9VSu"), "{app_hash}");
}

#[tokio::test]
async fn a_verification_of_another_account_does_not_exist() {
    let world = World::new().await;
    let app = world.application();
    let mut other = world.create_application("other.example.com").await;
    other.service.clone_from(&app.service);
    app.start(&world, NUMBER).await;
    let code = world.verification_code(NUMBER).await;
    let path = format!("{}/VerificationCheck", app.path());
    not_found(&other.check(&world, NUMBER, &code).await, &path);
    assert_eq!(app.check(&world, NUMBER, &code).await.ok(200)["valid"], true);
}
