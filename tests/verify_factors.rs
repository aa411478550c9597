//! Factors of an entity: docs/contract.md, Verify.

use serde_json::{Value, json};

use crate::support::{
    entities::{IDENTITY, only_page},
    rows::acts_of,
    totp,
    verify::{not_found, refused, wrong},
    world::World,
};

#[tokio::test]
async fn a_factor_is_created_with_its_entity_and_shows_its_secret_once() {
    let world = World::new().await;
    let app = world.application();
    let made = app.create_factor(&world, IDENTITY, &[]).await;
    let entity = app.request(&world, "GET", &format!("/Entities/{IDENTITY}")).send().await.ok(200);
    let all = format!("{}/Entities/{IDENTITY}/Factors", app.path());
    let sid = made["sid"].as_str().expect("a SID");
    let secret = made["binding"]["secret"].as_str().expect("a secret");
    let uri = format!(
        "otpauth://totp/Demo%20Shop:Maria%27s%20phone?secret={secret}&issuer=Demo%20Shop&algorithm=SHA1&digits=6&period=30"
    );
    let mut expected = json!({
        "sid": sid, "account_sid": app.account, "service_sid": app.service, "entity_sid": entity["sid"],
        "identity": IDENTITY, "binding": { "secret": secret, "uri": uri }, "options": null,
        "date_created": made["date_created"], "date_updated": made["date_created"],
        "friendly_name": "Maria's phone", "status": "unverified", "factor_type": "totp",
        "config": { "alg": "sha1", "skew": 1, "code_length": 6, "time_step": 30 }, "metadata": null,
        "url": format!("{}{all}/{sid}", world.url()),
    });
    assert_eq!(made, expected);
    assert!(secret.len() == 32 && sid.len() == 34 && sid.starts_with("YF"), "{made}");
    let shown = expected.as_object_mut().expect("an object");
    shown.remove("binding");
    shown.remove("options");
    assert_eq!(world.get(&format!("{all}/{sid}")).by(&app).send().await.ok(200), expected);
    let listed = world.get(&all).by(&app).send().await.ok(200);
    assert_eq!(listed, json!({ "factors": [expected], "meta": only_page(&world, &all, "factors") }));
    // Neither the secret nor its bytes are readable in a row.
    assert!(!world.all_rows().await.contains(secret));
    assert_eq!(acts_of(&world.audit_log_of(&format!("factor:{sid}")).await), ["entity_factor_created"]);
    let entity = entity["sid"].as_str().expect("a SID");
    assert_eq!(acts_of(&world.audit_log_of(&format!("entity:{entity}")).await), ["entity_created"]);
}

#[tokio::test]
async fn a_factor_is_verified_once_by_the_code_of_its_app() {
    let world = World::new().await;
    let app = world.application();
    let device = app.device(&world, IDENTITY).await;
    let code = device.code(&world, 0).await;
    // No code of six digits has seven.
    let got = device.verify(&world, &app, &format!("{code}0")).await.ok(200);
    assert_eq!(got["status"], "unverified");
    let verified = device.verify(&world, &app, &code).await.ok(200);
    assert_eq!(verified["status"], "verified");
    assert_eq!(app.request(&world, "GET", &device.path()).send().await.ok(200), verified);
    let next = device.code(&world, 1).await;
    refused(&device.verify(&world, &app, &next).await, 400, 60200, "Invalid parameter: AuthPayload");
    assert_eq!(world.guesses_of(IDENTITY).await, 2);
    // Its step is used up; the next one is not.
    assert_eq!(device.challenge(&world, &app, Some(&code)).await["status"], "pending");
    assert_eq!(device.challenge(&world, &app, Some(&next)).await["status"], "approved");
    let log = world.audit_log_of(&format!("factor:{}", device.sid)).await;
    assert_eq!(acts_of(&log), ["entity_factor_created", "entity_factor_verified"], "{log:?}");
}

#[tokio::test]
async fn five_wrong_codes_pause_the_verification_of_a_factor() {
    let world = World::new().await;
    let app = world.application();
    let device = app.device(&world, IDENTITY).await;
    for _ in 0..5 {
        let bad = wrong(&device.code(&world, 0).await);
        assert_eq!(device.verify(&world, &app, &format!("{bad}0")).await.ok(200)["status"], "unverified");
    }
    let code = device.code(&world, 0).await;
    let got = device.verify(&world, &app, &code).await;
    refused(&got, 429, 60310, "Max attempts of the factor reached");
    let wait = got.retry_after();
    assert!((590..=600).contains(&wait), "{wait}");
    assert_eq!(world.guesses_of(IDENTITY).await, 5);
    world.advance(wait).await;
    let code = device.code(&world, 0).await;
    assert_eq!(device.verify(&world, &app, &code).await.ok(200)["status"], "verified");
}

#[tokio::test]
async fn a_factor_has_the_settings_of_its_service_or_its_own() {
    let world = World::new().await;
    let app = world.application();
    let settings = [
        ("Totp.Issuer", "Shop & Co"),
        ("Totp.TimeStep", "60"),
        ("Totp.CodeLength", "8"),
        ("Totp.Skew", "0"),
    ];
    let service = app.service_with(&world, &settings).await;
    let made = service.create_factor(&world, IDENTITY, &[]).await;
    assert_eq!(made["config"], json!({ "alg": "sha1", "skew": 0, "code_length": 8, "time_step": 60 }));
    let uri = made["binding"]["uri"].as_str().expect("a URI");
    assert!(
        uri.starts_with("otpauth://totp/Shop%20%26%20Co:Maria%27s%20phone?") && uri.ends_with("&digits=8&period=60")
    );
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let own = [
        ("Binding.Secret", secret),
        ("Config.TimeStep", "20"),
        ("Config.CodeLength", "3"),
        ("Config.Skew", "2"),
        ("Config.Alg", "sha512"),
    ];
    let made = service.create_factor(&world, IDENTITY, &own).await;
    assert_eq!(made["config"], json!({ "alg": "sha512", "skew": 2, "code_length": 3, "time_step": 20 }));
    assert_eq!(made["binding"]["secret"], secret);

    // A change of the settings and a code in one request: the code is of the new settings.
    let path = format!("/Entities/{IDENTITY}/Factors/{}", made["sid"].as_str().expect("a SID"));
    let code = totp::code(secret, world.now().await / 60, 7);
    let form = [
        ("FriendlyName", "Tablet"),
        ("Config.TimeStep", "60"),
        ("Config.CodeLength", "7"),
        ("Config.Skew", "1"),
        ("Config.Alg", "sha1"),
        ("AuthPayload", &code),
    ];
    let changed = service.request(&world, "POST", &path).form(&form).send().await.ok(200);
    let mut expected = made.clone();
    let object = expected.as_object_mut().expect("an object");
    object.retain(|name, _| name != "binding" && name != "options");
    object.insert("friendly_name".into(), "Tablet".into());
    object.insert("status".into(), "verified".into());
    object.insert("config".into(), json!({ "alg": "sha1", "skew": 1, "code_length": 7, "time_step": 60 }));
    object.insert("date_updated".into(), changed["date_updated"].clone());
    assert_eq!(changed, expected);
    let empty = service.request(&world, "POST", &path).form(&[("Other", "x")]).send().await;
    assert_eq!(empty.ok(200), changed);
}

#[tokio::test]
async fn a_factor_with_invalid_parameters_is_refused() {
    let world = World::new().await;
    let app = world.application();
    let path = format!("/Entities/{IDENTITY}/Factors");
    let good: [(&str, &str); 2] = [("FriendlyName", "Phone"), ("FactorType", "totp")];
    let state = world.state().await;
    let long = "x".repeat(65);
    for (name, value) in [
        ("FriendlyName", ""),
        ("FriendlyName", long.as_str()),
        ("FriendlyName", "two\nlines"),
        ("FactorType", ""),
        ("FactorType", "TOTP"),
        ("Binding.Secret", "GEZDGNBVGY3TQOJQ"),
        ("Binding.Secret", "not base32 at all"),
        ("Config.TimeStep", "19"),
        ("Config.TimeStep", "61"),
        ("Config.Skew", "3"),
        ("Config.CodeLength", "2"),
        ("Config.CodeLength", "9"),
        ("Config.Alg", "md5"),
    ] {
        let form: Vec<_> = good.into_iter().filter(|(other, _)| *other != name).chain([(name, value)]).collect();
        let got = app.request(&world, "POST", &path).form(&form).send().await;
        refused(&got, 400, 60200, &format!("Invalid parameter: {name}"));
    }
    for (missing, left) in [("FriendlyName", good[1]), ("FactorType", good[0])] {
        let got = app.request(&world, "POST", &path).form(&[left]).send().await;
        refused(&got, 400, 60200, &format!("Invalid parameter: {missing}"));
    }
    for kind in ["push", "passkeys"] {
        let form = [("FriendlyName", "Phone"), ("FactorType", kind)];
        let got = app.request(&world, "POST", &path).form(&form).send().await;
        refused(&got, 403, 60204, "The service does not support this feature");
    }
    let got = app.request(&world, "POST", &path).json(&json!({ "FriendlyName": "x" })).send().await;
    assert_eq!((got.status, got.ok(415)["code"].clone()), (415, json!(20001)));
    assert_eq!(world.state().await, state);

    let device = app.device(&world, IDENTITY).await;
    let (factors, guesses) = (device.path(), world.guesses_of(IDENTITY).await);
    for (name, value) in [
        ("FriendlyName", ""),
        ("Config.Alg", "SHA1"),
        ("AuthPayload", ""),
        ("AuthPayload", "12"),
        ("AuthPayload", "123456789"),
        ("AuthPayload", "12345a"),
    ] {
        let got = app.request(&world, "POST", &factors).form(&[(name, value)]).send().await;
        refused(&got, 400, 60200, &format!("Invalid parameter: {name}"));
    }
    assert_eq!(world.guesses_of(IDENTITY).await, guesses);
}

#[tokio::test]
async fn an_entity_has_20_factors_at_most_and_a_deleted_one_makes_room() {
    let world = World::new().await;
    let app = world.application();
    let mut sids = Vec::new();
    for _ in 0..20 {
        sids.push(app.create_factor(&world, IDENTITY, &[]).await["sid"].clone());
    }
    let path = format!("/Entities/{IDENTITY}/Factors");
    let form = [("FriendlyName", "One more"), ("FactorType", "totp")];
    let got = app.request(&world, "POST", &path).form(&form).send().await;
    refused(&got, 400, 20001, "The entity has as many factors as it may have");
    let listed = app.request(&world, "GET", &format!("{path}?PageSize=15&Page=1")).send().await.ok(200);
    let on_page: Vec<Value> =
        listed["factors"].as_array().expect("a list").iter().map(|factor| factor["sid"].clone()).collect();
    assert_eq!(on_page, sids[15..]);
    let one = format!("{path}/{}", sids[3].as_str().expect("a SID"));
    app.request(&world, "DELETE", &one).send().await.is(204, "");
    let whole = format!("{}{one}", app.path());
    for method in ["GET", "POST", "DELETE"] {
        let got = app.request(&world, method, &one).form(&[("AuthPayload", "123456")]).send().await;
        not_found(&got, &whole);
    }
    app.create_factor(&world, IDENTITY, &[]).await;
}

#[tokio::test]
async fn a_factor_whose_key_was_deleted_is_a_fault_and_counts_nothing() {
    let world = World::new().await;
    let app = world.application();
    let device = app.verified_device(&world, IDENTITY).await;
    let code = device.code(&world, 0).await;
    let other = json!({ "9": "another key of factors: the first one was deleted" });
    world.set_keys("countersign-FactorKeys", &other).await;
    world.advance(400).await;
    let got = device.challenging(&world, &app, Some(&code)).send().await;
    refused(&got, 500, 20500, "Internal server error");
    assert_eq!(world.guesses_of(IDENTITY).await, 1);
}
