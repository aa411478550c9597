//! HEAD answers like GET, without a body, on every read-only route (docs/contract.md, All routes).

use serde_json::json;

use crate::support::{
    devices::devices_path,
    entities::IDENTITY,
    mithril::USERS,
    passcode::{PURPOSE, USER},
    requests::{Response, comparable},
    support_pin::OWN_PIN,
    world::World,
};

/// Asserts that two responses differ in the body alone. Values that always differ have the same length in both.
#[track_caller]
fn alike(what: &str, head: &Response, get: &Response) {
    let (head, get) = (comparable(head), comparable(get));
    assert_eq!((head.0, head.2.as_str()), (get.0, ""), "{what}");
    assert_eq!(head.1, get.1, "{what}");
    let length = get.2.len().to_string();
    let said = head.1.iter().find(|(name, _)| name == "content-length");
    assert_eq!(said.map(|(_, value)| value.as_str()), Some(length.as_str()), "{what}");
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let world = World::new().await;
    let (demo, admin) = (world.demo(), world.admin().to_owned());
    world.post(OWN_PIN).private_token(world.user()).send().await.ok(201);
    let issued = world.retrieve(USER, PURPOSE).await;
    let factor = world.factor_of(&demo).await["id"].as_str().expect("an id").to_owned();
    let status = |id: &str| format!("/passcode/status?client_id=heatclinic&passcode_id={id}");
    let of = |id: &str| format!("/api/v4/users/{id}/support_pin");
    let own = world.application();
    let app = own.verified_device(&world, IDENTITY).await;
    let challenge = app.challenge(&world, &own, None).await["sid"].as_str().expect("a SID").to_owned();
    let challenge = format!("{}{}/Challenges/{challenge}", own.path(), app.entity);
    let unknown_user = "00000000-0000-4000-8000-000000000000";
    let before = world.state().await;
    for (path, token, expected) in [
        (OWN_PIN.to_owned(), world.user(), 200),
        (OWN_PIN.to_owned(), &admin, 404),
        (OWN_PIN.to_owned(), "anonymous", 401),
        (format!("{OWN_PIN}?a=%zz"), world.user(), 400),
        (of(&demo.id), &admin, 200),
        (of(unknown_user), &admin, 404),
        (of(&demo.id), world.user(), 403),
        (of(&demo.id), "anonymous", 401),
        (status(&issued.id), world.passcode_token(), 200),
        (status("01FM98Y1WCT0KT0AT56TMJ1973"), world.passcode_token(), 404),
        (status(&issued.id), world.user(), 403),
        (status(&issued.id), "anonymous", 401),
        (demo.factors_path(), &admin, 200),
        (format!("{}?type=x", demo.factors_path()), &admin, 422),
        (format!("{}/{factor}", demo.factors_path()), &admin, 200),
        (format!("{}/{unknown_user}", demo.factors_path()), &admin, 404),
        (format!("{USERS}/{unknown_user}/authentication_factors"), &admin, 404),
        (demo.factors_path(), world.user(), 403),
        (devices_path(&demo), &admin, 200),
        (devices_path(&demo), "anonymous", 401),
        (demo.factors_path(), "anonymous", 401),
        ("/app-root".to_owned(), "anonymous", 200),
        ("/openapi.json".to_owned(), "anonymous", 200),
        ("/nothing".to_owned(), "anonymous", 404),
    ] {
        let get = world.get(&path).bearer(token).send_unchecked().await;
        assert_eq!(get.status, expected, "{path}: {get:?}");
        if let Some(pin) = serde_json::from_str::<serde_json::Value>(&get.body).unwrap_or_default()["pin"].as_str() {
            world.keep_out_of_logs(pin);
        }
        alike(&path, &world.request("HEAD", &path).bearer(token).send_unchecked().await, &get);
    }
    for (path, expected) in [
        ("/v2/Services".to_owned(), 200),
        ("/v2/Services?Page=x".to_owned(), 400),
        (own.path(), 200),
        (format!("{}/RateLimits", own.path()), 200),
        (format!("{}/RateLimits/RK1", own.path()), 404),
        (format!("{}/Entities", own.path()), 200),
        (format!("{}{}", own.path(), app.entity), 200),
        (format!("{}{}/Factors", own.path(), app.entity), 200),
        (format!("{}{}", own.path(), app.path()), 200),
        (format!("{}{}/Challenges", own.path(), app.entity), 200),
        (challenge, 200),
    ] {
        let get = world.get(&path).by(&own).send_unchecked().await;
        assert_eq!(get.status, expected, "{path}: {get:?}");
        alike(&path, &world.request("HEAD", &path).by(&own).send_unchecked().await, &get);
    }
    assert_eq!(world.state().await, before, "nothing was changed");
}

#[tokio::test]
async fn a_get_with_side_effects_has_no_head() {
    let world = World::new().await;
    let retrieve = "/passcode/retrieve?purpose=p&username=u&client_id=heatclinic";
    let got = world.request("HEAD", retrieve).bearer(world.passcode_token()).send().await;
    assert_eq!((got.status, got.header("allow")), (405, Some("GET")));
    assert!(world.rows("PasscodesTable").await.is_empty(), "none was made");
}

#[tokio::test]
async fn an_administrators_head_is_in_the_audit_log_like_a_read() {
    let world = World::new().await;
    let demo = world.demo();
    world.post(OWN_PIN).private_token(world.user()).send().await.ok(201);
    let of = format!("/api/v4/users/{}/support_pin", demo.id);
    let events = async || {
        let events = world.rows("AuditTable").await;
        let reads = events.iter().filter(|event| event.to_string().contains("pin_read"));
        reads.map(|event| event["route"]["S"].clone()).collect::<Vec<_>>()
    };
    let head = || world.request("HEAD", &of).private_token(world.admin());
    assert_eq!(head().send().await.status, 200);
    assert_eq!(events().await, ["HEAD /api/v4/users/{id}/support_pin"]);
    let fault = json!({ "service": "dynamodb", "operation": "PutItem", "kind": "error", "skip": 0, "times": 100 });
    world.inject(fault).await;
    assert_eq!(head().send().await.status, 503);
    world.clear_faults().await;
    assert_eq!(events().await.len(), 1);
}
