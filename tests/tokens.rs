//! Which token authorizes what, in GitLab's and Broadleaf's dialects.

use serde_json::json;

use crate::support::{
    support_pin::OWN_PIN,
    words::{REVOKED, UNAUTHORIZED},
    world::World,
};

const EXPIRED: &str = r#"{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}"#;
const BLOCKED: &str = r#"{"message":"403 Forbidden - Your account has been blocked."}"#;

fn too_small(scopes: &str) -> String {
    format!(
        r#"{{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"{scopes}"}}"#
    )
}

#[tokio::test]
async fn read_scopes_authorize_only_reads() {
    let world = World::new().await;
    let admin = world.id("/admin/user_id").to_owned();
    let of_user = format!("/api/v4/users/{}/support_pin", world.id("/user/user_id"));
    world.post(OWN_PIN).private_token(world.user()).send().await.ok(201);
    for scope in ["read_user", "read_api"] {
        let token = world.create_token(json!({ "user_id": admin, "scopes": [scope] })).await;
        world.get(&of_user).private_token(&token).send().await.ok(200);
        world.post(OWN_PIN).private_token(&token).send().await.is(403, &too_small("api"));
        world
            .post(&format!("{of_user}/revoke"))
            .private_token(&token)
            .send()
            .await
            .is(403, &too_small("api"));
    }
    let token = world.create_token(json!({ "user_id": admin, "scopes": ["passcode"] })).await;
    for (method, path, scopes) in [
        ("GET", OWN_PIN, "api read_user"),
        ("POST", OWN_PIN, "api"),
        ("GET", of_user.as_str(), "api read_user"),
    ] {
        let got = world.request(method, path).bearer(&token).send().await;
        got.is(403, &too_small(scopes));
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scopes}\"");
        assert_eq!(got.header("www-authenticate"), Some(challenge.as_str()));
    }
}

#[tokio::test]
async fn an_expired_token_is_reported_as_expired_and_later_as_unknown() {
    let world = World::new().await;
    let user = world.id("/user/user_id").to_owned();
    let token = world.create_token(json!({ "user_id": user, "scopes": ["api"], "lifetime_seconds": 100 })).await;
    world.advance(90).await;
    world.post(OWN_PIN).private_token(&token).send().await.ok(201);
    world.advance(10).await;
    world.post(OWN_PIN).private_token(&token).send().await.is(401, EXPIRED);
    world.advance(7 * 86_400).await;
    world.post(OWN_PIN).private_token(&token).send().await.is(401, UNAUTHORIZED);
}

#[tokio::test]
async fn a_revoked_token_is_reported_as_revoked() {
    let world = World::new().await;
    let answer = world.run_command(json!({ "command": "revoke_token", "token": world.user() })).await;
    assert_eq!(answer, json!({ "done": true, "changed": true }));
    world.get(OWN_PIN).private_token(world.user()).send().await.is(401, REVOKED);
    world.get(OWN_PIN).private_token(world.admin()).send().await.ok(404);
}

#[tokio::test]
async fn revoking_all_tokens_of_a_user_is_one_write_and_takes_effect_at_once() {
    let world = World::new().await;
    let user = world.id("/user/user_id").to_owned();
    let second = world.create_token(json!({ "user_id": user, "scopes": ["api"] })).await;
    world.get(OWN_PIN).private_token(&second).send().await.ok(404);
    world.invocations().await;
    world.run_command(json!({ "command": "end_tokens", "user_id": user })).await;
    let calls = world.invocations().await[0]["calls"].clone();
    let made: Vec<_> =
        calls.as_array().expect("calls").iter().map(|call| (&call["operation"], &call["table"])).collect();
    let (read, written) = ("countersign-UsersTable", "countersign-AuditTable,countersign-UsersTable");
    assert_eq!(
        made,
        [
            (&json!("GetItem"), &json!(read)),
            (&json!("TransactWriteItems"), &json!(written))
        ]
    );
    for token in [world.user(), &second] {
        world.get(OWN_PIN).private_token(token).send().await.is(401, REVOKED);
    }
    let third = world.create_token(json!({ "user_id": user, "scopes": ["api"] })).await;
    world.get(OWN_PIN).private_token(&third).send().await.ok(404);
}

#[tokio::test]
async fn a_block_takes_effect_at_once_and_its_revocations_are_permanent() {
    let world = World::new().await;
    let user = world.id("/user/user_id").to_owned();
    let passcodes = world.create_token(json!({ "user_id": user, "scopes": ["passcode"] })).await;
    let status = "/passcode/status?client_id=heatclinic&passcode_id=01FM98Y1WCT0KT0AT56TMJ1973";
    world.get(status).bearer(&passcodes).send().await.ok(404);
    world.run_command(json!({ "command": "block_user", "user_id": user })).await;
    for got in [
        world.get(OWN_PIN).private_token(world.user()).send().await,
        world.post(OWN_PIN).private_token(world.user()).send().await,
    ] {
        got.is(403, BLOCKED);
    }
    assert_eq!(world.get(status).bearer(&passcodes).send().await.status, 401);
    world.run_command(json!({ "command": "unblock_user", "user_id": user })).await;
    let revoked = world.get(OWN_PIN).private_token(world.user()).send().await;
    revoked.is(401, REVOKED);
    let token = world.create_token(json!({ "user_id": user, "scopes": ["api"] })).await;
    world.get(OWN_PIN).private_token(&token).send().await.ok(404);
}

#[tokio::test]
async fn a_blocked_administrator_is_refused() {
    let world = World::new().await;
    world.run_command(json!({ "command": "block_user", "user_id": world.id("/admin/user_id") })).await;
    let path = format!("/api/v4/users/{}/support_pin", world.id("/user/user_id"));
    world.get(&path).private_token(world.admin()).send().await.is(403, BLOCKED);
}

#[tokio::test]
async fn a_clients_own_token_gives_no_access_to_support_pins() {
    let world = World::new().await;
    let token = world.create_token(json!({ "owner_client_id": "heatclinic", "scopes": ["api"] })).await;
    world.get(OWN_PIN).bearer(&token).send().await.is(401, UNAUTHORIZED);
    world
        .get(OWN_PIN)
        .bearer(world.id("/passcode_token"))
        .send()
        .await
        .is(403, &too_small("api read_user"));
    world.post(OWN_PIN).bearer(world.id("/passcode_token")).send().await.is(403, &too_small("api"));
}

#[tokio::test]
async fn revoking_the_tokens_of_a_client_takes_effect_at_once() {
    let world = World::new().await;
    let status = "/passcode/status?client_id=heatclinic&passcode_id=01FM98Y1WCT0KT0AT56TMJ1973";
    world.get(status).bearer(world.id("/passcode_token")).send().await.ok(404);
    world.run_command(json!({ "command": "end_tokens", "client_id": "heatclinic" })).await;
    assert_eq!(world.get(status).bearer(world.id("/passcode_token")).send().await.status, 401);
    // A user's token of the same client belongs to the user.
    world.get(status).bearer(world.admin()).send().await.ok(404);
}

#[tokio::test]
async fn tokens_are_random_and_stored_in_no_table() {
    let world = World::new().await;
    let user = world.id("/user/user_id").to_owned();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let token = world.create_token(json!({ "user_id": user, "scopes": ["api"] })).await;
        let secret = token.split_once('.').expect("owner and secret").1;
        assert_eq!(secret.len(), 43, "256 bits in base64url");
        assert!(seen.insert(secret.to_owned()));
    }
    let rows = world.all_rows().await;
    for secret in seen {
        assert!(!rows.contains(&secret), "a token is stored in a table");
    }
}
