//! Credentials of applications that verify phone numbers and mail addresses: docs/contract.md, Verify.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::support::{requests::Response, verify::verify_error, world::World};

#[track_caller]
fn unauthenticated(got: &Response) {
    assert_eq!(got.ok(401), verify_error(401, 20003, "Authenticate"));
    assert_eq!(got.header("www-authenticate"), Some(r#"Basic realm="Countersign", charset="UTF-8""#));
}

#[tokio::test]
async fn every_wrong_credential_gets_the_same_401() {
    let world = World::new().await;
    let own = world.application();
    let unknown = format!("AC{}", "0".repeat(32));
    let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
    for header in [
        basic(format!("{}:wrong", own.account)),
        basic(format!("{}:", own.account)),
        basic(format!("{unknown}:{}", own.token)),
        basic(format!("SK{}:{}", "0".repeat(32), own.token)),
        basic(format!("{}:{}", own.service, own.token)),
        basic(format!("demo:{}", own.token)),
        basic(format!("{}{}", own.account, own.token)),
        format!("Basic {}:{}", own.account, own.token),
        "Basic".to_owned(),
        "Basic %%%".to_owned(),
        format!("Bearer {}", own.token),
        format!("Bearer {}", world.admin()),
    ] {
        for path in [
            "/v2/Services".to_owned(),
            own.path(),
            format!("/v2/Services/VA{}", "0".repeat(32)),
        ] {
            unauthenticated(&world.get(&path).header("authorization", &header).send().await);
        }
    }
    unauthenticated(&world.get("/v2/Services").send().await);
    // Before the form is read.
    unauthenticated(&world.post("/v2/Services").form(&[("FriendlyName", "")]).send().await);
    let upper = format!("AC{}", own.account[2..].to_uppercase());
    world.get("/v2/Services").basic(&upper, &own.token).send().await.ok(200);
}

#[tokio::test]
async fn a_key_has_the_rights_of_its_account_until_it_ends() {
    let world = World::new().await;
    let own = world.application();
    let command = json!({ "command": "create_verify_key", "account_sid": own.account, "name": "CI" });
    let made = world.run_command(command).await;
    let (key, secret) = (made["key_sid"].as_str().expect("a SID"), made["secret"].as_str().expect("a secret"));
    let list = || world.get("/v2/Services").basic(key, secret).send();
    let by_account = world.get("/v2/Services").by(&own).send().await.ok(200);
    assert_eq!(list().await.ok(200), by_account);
    unauthenticated(&world.get("/v2/Services").basic(&own.account, secret).send().await);
    unauthenticated(&world.get("/v2/Services").basic(key, &own.token).send().await);
    let end = json!({ "command": "end_verify_key", "key_sid": key });
    assert_eq!(world.run_command(end.clone()).await, json!({ "done": true, "changed": true }));
    assert_eq!(world.run_command(end).await, json!({ "done": true, "changed": false }));
    unauthenticated(&list().await);
    world.get("/v2/Services").by(&own).send().await.ok(200);
}

#[tokio::test]
async fn an_account_ends_with_its_keys() {
    let world = World::new().await;
    let own = world.create_application("other.example").await;
    let command = json!({ "command": "create_verify_key", "account_sid": own.account, "name": "CI" });
    let made = world.run_command(command).await;
    let (key, secret) = (made["key_sid"].as_str().expect("a SID"), made["secret"].as_str().expect("a secret"));
    let end = json!({ "command": "end_verify_account", "account_sid": own.account });
    let mut dry = end.clone();
    dry["dry_run"] = true.into();
    assert_eq!(world.run_command(dry).await, json!({ "done": true, "changed": true, "dry_run": true }));
    world.get("/v2/Services").by(&own).send().await.ok(200);
    assert_eq!(world.run_command(end.clone()).await, json!({ "done": true, "changed": true }));
    assert_eq!(world.run_command(end).await, json!({ "done": true, "changed": false }));
    unauthenticated(&world.get("/v2/Services").by(&own).send().await);
    unauthenticated(&world.get("/v2/Services").basic(key, secret).send().await);
}

#[tokio::test]
async fn a_new_auth_token_replaces_the_previous_one() {
    let world = World::new().await;
    let own = world.create_application("other.example").await;
    let command = json!({ "command": "set_verify_auth_token", "account_sid": own.account });
    let made = world.run_command(command).await;
    let token = made["auth_token"].as_str().expect("a token");
    unauthenticated(&world.get("/v2/Services").by(&own).send().await);
    world.get("/v2/Services").basic(&own.account, token).send().await.ok(200);
}

#[tokio::test]
async fn every_route_of_an_application_needs_its_credential() {
    let world = World::new().await;
    let own = world.application();
    let before = world.state().await;
    let document = world.get("/openapi.json").send().await.ok(200);
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        if !path.starts_with("/v2/") {
            continue;
        }
        let path = path.replace("{service}", &own.service).replace("{verification}", "+14155550142");
        let path = path.replace("{rate_limit}", &format!("RK{}", "0".repeat(32)));
        let path = path.replace("{bucket}", &format!("BL{}", "0".repeat(32)));
        let path = path.replace("{attempt}", &format!("VL{}", "0".repeat(32)));
        for method in item.as_object().expect("an item").keys() {
            let method = method.to_uppercase();
            let ask = || {
                let ask = world.request(&method, &path);
                if method == "POST" {
                    ask.form(&[("To", "+14155550142")])
                } else {
                    ask
                }
            };
            unauthenticated(&ask().send().await);
            unauthenticated(&ask().basic(&own.account, "wrong").send().await);
            unauthenticated(&ask().bearer(world.admin()).send().await);
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
    assert_eq!(world.state().await, before, "nothing was changed");
}
