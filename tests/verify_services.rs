//! Services of applications that verify phone numbers and mail addresses: docs/contract.md, Verify.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    verify::{Application, verify_error, verify_not_found},
    world::World,
};

/// The body of a service, as it is created with this name and no other setting.
fn body(world: &World, application: &Application, sid: &Value, name: &str, at: &Value) -> Value {
    let url = format!("{}/v2/Services/{}", world.url(), sid.as_str().expect("a SID"));
    json!({
        "sid": sid, "account_sid": application.account, "friendly_name": name, "code_length": 6, "lookup_enabled": false,
        "psd2_enabled": false, "skip_sms_to_landlines": false, "dtmf_input_required": true, "tts_name": null,
        "do_not_share_warning_enabled": false, "custom_code_enabled": false,
        "push": { "include_date": false, "apn_credential_sid": null, "fcm_credential_sid": null },
        "totp": { "issuer": name, "time_step": 30, "code_length": 6, "skew": 1 },
        "default_template_sid": null, "whatsapp": { "msg_service_sid": null, "from": null },
        "passkeys": {
            "relying_party": { "id": null, "name": null, "origins": null }, "authenticator_attachment": null,
            "discoverable_credentials": null, "user_verification": null,
        },
        "verify_event_subscription_enabled": false, "date_created": at, "date_updated": at, "url": url,
        "links": {
            "verification_checks": format!("{url}/VerificationCheck"), "verifications": format!("{url}/Verifications"),
            "rate_limits": format!("{url}/RateLimits"),
            "messaging_configurations": format!("{url}/MessagingConfigurations"), "entities": format!("{url}/Entities"),
            "webhooks": format!("{url}/Webhooks"), "access_tokens": format!("{url}/AccessTokens"),
        },
    })
}

fn meta(world: &World, size: usize, page: usize, next: Option<usize>) -> Value {
    let at = |page: usize| format!("{}/v2/Services?PageSize={size}&Page={page}", world.url());
    json!({
        "page": page, "page_size": size, "first_page_url": at(0), "previous_page_url": page.checked_sub(1).map(at),
        "next_page_url": next.map(at), "key": "services", "url": at(page),
    })
}

#[tokio::test]
async fn a_service_is_created_shown_listed_changed_and_deleted() {
    let world = World::new().await;
    let own = world.application();
    let got = world.post("/v2/Services").by(&own).form(&[("FriendlyName", "My Shop")]).send().await;
    let made = got.ok(201);
    assert_eq!(made, body(&world, &own, &made["sid"], "My Shop", &made["date_created"]));
    let names: Vec<_> = got.body.match_indices("\":").take(3).map(|(at, _)| &got.body[..at]).collect();
    assert!(names[0].ends_with("sid") && names[1].ends_with("account_sid") && names[2].ends_with("friendly_name"));
    let path = format!("/v2/Services/{}", made["sid"].as_str().expect("a SID"));
    assert_eq!(world.get(&path).by(&own).send().await.ok(200), made);
    let demo = world.get(&own.path()).by(&own).send().await.ok(200);
    let list =
        |size, page, services: Value, next| json!({ "services": services, "meta": meta(&world, size, page, next) });
    for (query, expected) in [
        ("", list(50, 0, json!([demo, made]), None)),
        ("?PageSize=1", list(1, 0, json!([demo]), Some(1))),
        ("?PageSize=1&Page=1&PageToken=PT1", list(1, 1, json!([made]), None)),
        ("?Page=7", list(50, 7, json!([]), None)),
    ] {
        let got = world.get(&format!("/v2/Services{query}")).by(&own).send().await;
        assert_eq!(got.ok(200), expected, "{query}");
    }
    world.advance(5).await;
    let form = [
        ("CodeLength", "8"),
        ("CustomCodeEnabled", "true"),
        ("Psd2Enabled", "True"),
        ("DoNotShareWarningEnabled", "true"),
        ("LookupEnabled", "true"),
        ("SkipSmsToLandlines", "true"),
        ("DtmfInputRequired", "false"),
        ("Totp.Issuer", "Issuer"),
        ("Totp.TimeStep", "60"),
        ("Totp.CodeLength", "3"),
        ("Totp.Skew", "0"),
        ("Push.IncludeDate", "false"),
        ("Push.ApnCredentialSid", ""),
        ("SomethingNew", "x"),
    ];
    let changed = world.post(&path).by(&own).form(&form).send().await.ok(200);
    let mut expected = made.clone();
    for name in [
        "custom_code_enabled",
        "psd2_enabled",
        "do_not_share_warning_enabled",
        "lookup_enabled",
        "skip_sms_to_landlines",
    ] {
        expected[name] = true.into();
    }
    expected["code_length"] = 8.into();
    expected["dtmf_input_required"] = false.into();
    expected["totp"] = json!({ "issuer": "Issuer", "time_step": 60, "code_length": 3, "skew": 0 });
    assert_ne!(changed["date_updated"], made["date_updated"]);
    expected["date_updated"] = changed["date_updated"].clone();
    assert_eq!(changed, expected);
    let kept = world.post(&path).by(&own).form(&[("FriendlyName", "Shop")]).send().await.ok(200);
    assert_eq!((&kept["code_length"], &kept["friendly_name"]), (&json!(8), &json!("Shop")));
    world.request("DELETE", &path).by(&own).send().await.is(204, "");
    for method in ["GET", "POST", "DELETE"] {
        let got = world.request(method, &path).by(&own).form(&[("CodeLength", "4")]).send().await;
        assert_eq!(got.ok(404), verify_not_found(&path), "{method}");
    }
    let got = world.get("/v2/Services").by(&own).send().await;
    assert_eq!(got.ok(200)["services"], json!([demo]));
}

#[tokio::test]
async fn a_value_out_of_range_names_its_parameter() {
    let world = World::new().await;
    let own = world.application();
    let invalid = |name: &str| verify_error(400, 60200, &format!("Invalid parameter: {name}"));
    let long = "x".repeat(33);
    for (field, value) in [
        ("FriendlyName", ""),
        ("FriendlyName", long.as_str()),
        ("FriendlyName", "a\nb"),
        ("CodeLength", "3"),
        ("CodeLength", "11"),
        ("CodeLength", "six"),
        ("CustomCodeEnabled", "yes"),
        ("Totp.Issuer", long.as_str()),
        ("Totp.TimeStep", "19"),
        ("Totp.CodeLength", "9"),
        ("Totp.Skew", "3"),
    ] {
        let form = [("FriendlyName", "Shop"), (field, value)];
        let form = if field == "FriendlyName" { &form[1..] } else { &form };
        for path in ["/v2/Services".to_owned(), own.path()] {
            let got = world.post(&path).by(&own).form(form).send().await;
            assert_eq!(got.ok(400), invalid(field), "{path} {field}={value:?}");
        }
    }
    let got = world.post("/v2/Services").by(&own).form(&[("CodeLength", "6")]).send().await;
    assert_eq!(got.ok(400), invalid("FriendlyName"));
    let off = verify_error(403, 60204, "The service does not support this feature");
    for (field, value) in [
        ("Push.IncludeDate", "true"),
        ("Push.FcmCredentialSid", "CR00000000000000000000000000000000"),
        ("TtsName", "alice"),
        ("DefaultTemplateSid", "HJ00000000000000000000000000000000"),
        ("Whatsapp.From", "+15017122661"),
        ("Passkeys.UserVerification", "required"),
        ("VerifyEventSubscriptionEnabled", "true"),
    ] {
        let form = [("FriendlyName", "Shop"), (field, value)];
        assert_eq!(world.post("/v2/Services").by(&own).form(&form).send().await.ok(403), off, "{field}");
    }
    for query in ["PageSize=0", "PageSize=1001", "Page=-1"] {
        let name = query.split('=').next().unwrap_or_default();
        let got = world.get(&format!("/v2/Services?{query}")).by(&own).send().await;
        assert_eq!(got.ok(400), invalid(name), "{query}");
    }
    let twice = world
        .post("/v2/Services")
        .by(&own)
        .body("application/x-www-form-urlencoded", "FriendlyName=a&FriendlyName=b");
    assert_eq!(twice.send().await.ok(400), verify_error(400, 20001, "Malformed request"));
}

#[tokio::test]
async fn another_accounts_service_does_not_exist() {
    let world = World::new().await;
    let (own, other) = (world.application(), world.create_application("other.example").await);
    let path = own.path();
    for method in ["GET", "POST", "DELETE"] {
        let got = world.request(method, &path).by(&other).form(&[("CodeLength", "4")]).send().await;
        assert_eq!(got.ok(404), verify_not_found(&path), "{method}");
    }
    assert_eq!(world.get(&path).by(&own).send().await.ok(200)["code_length"], 6);
    let listed = world.get("/v2/Services").by(&other).send().await.ok(200);
    assert_eq!(listed["services"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["services"][0]["sid"], other.service.as_str());
}

#[tokio::test]
async fn services_that_are_created_at_once_are_all_listed() {
    let world = World::new().await;
    let own = world.application();
    let create = |name: String| {
        let (world, own) = (&world, &own);
        async move { world.post("/v2/Services").by(own).form(&[("FriendlyName", name.as_str())]).send().await }
    };
    let made = join_all((0..2).map(|number| create(format!("Shop {number}")))).await;
    let sids: Vec<_> = made.iter().map(|got| got.ok(201)["sid"].clone()).collect();
    let listed = world.get("/v2/Services").by(&own).send().await.ok(200);
    let listed: Vec<_> = listed["services"].as_array().expect("a list").iter().map(|one| one["sid"].clone()).collect();
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert!(sids.iter().all(|sid| listed.contains(sid)), "{sids:?} {listed:?}");
}

#[tokio::test]
async fn changes_at_the_same_time_are_all_kept() {
    let world = World::new().await;
    let own = world.application();
    let change = |name: &'static str| {
        let (world, own) = (&world, &own);
        async move { world.post(&own.path()).by(own).form(&[(name, "true")]).send().await.ok(200) }
    };
    join_all(["CustomCodeEnabled", "Psd2Enabled"].map(change)).await;
    let service = world.get(&own.path()).by(&own).send().await.ok(200);
    assert_eq!((&service["custom_code_enabled"], &service["psd2_enabled"]), (&json!(true), &json!(true)));
}
