//! What a token with a single scope authorizes (security.md R73): each route that needs a token, for an administrator
//! and for a client. As in the table of roles, the requests are malformed wherever they would change something.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{
    roles::{Row, TABLE, row},
    world::World,
};

/// A change of the caller's own password: a route that needs a token for only one of its kinds of body.
const CHANGE: Row = row(
    "POST /rest/v1/iam/pwd_reset_requests",
    "",
    Some(("application/json", r#"{"current_pwd":"correct-horse","new_pwd":"short"}"#)),
    412,
    "",
);

/// The scopes that authorize an administrator for each route, and whether a client is authorized, too. No read-only
/// scope authorizes a write.
const OPEN: &[(&str, &[&str], bool)] = &[
    ("POST /api/v4/user/support_pin", &["api"], false),
    ("GET /api/v4/user/support_pin", &["api", "read_user", "read_api"], false),
    ("GET /api/v4/users/{id}/support_pin", &["api", "read_user", "read_api"], false),
    ("POST /api/v4/users/{id}/support_pin/revoke", &["api"], false),
    ("POST /rest/v1/iam/pwd_reset_requests", &["api"], false),
    ("GET /passcode/retrieve", &["passcode"], true),
    ("POST /passcode/consume", &["passcode"], true),
    ("GET /passcode/status", &["passcode"], true),
    ("POST /passcode/invalidate", &["passcode"], true),
    ("POST /mithril/api/users", &["user:write"], true),
    ("PATCH /mithril/api/users/{user_id}/actions/block", &["user:block"], true),
    ("PATCH /mithril/api/users/{user_id}/actions/unblock", &["user:unblock"], true),
    // Only a login's own token authorizes these two.
    ("PATCH /mithril/api/users/{user_id}/actions/create_otp", &[], false),
    ("PATCH /mithril/api/users/actions/approve_factor", &[], false),
    (
        "PATCH /mithril/api/users/actions/init_factor",
        &["app:authorize", "authentication_factor:write"],
        false,
    ),
    (
        "PATCH /mithril/api/users/actions/recovery_codes",
        &["app:authorize", "authentication_factor:write"],
        false,
    ),
    ("GET /mithril/api/users/{user_id}/authentication_factors", &["authentication_factor:read"], true),
    ("POST /mithril/api/users/{user_id}/authentication_factors", &["authentication_factor:write"], true),
    (
        "GET /mithril/api/users/{user_id}/authentication_factors/{id}",
        &["authentication_factor:read"],
        true,
    ),
    (
        "PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/reset",
        &["authentication_factor:reset"],
        true,
    ),
    (
        "PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/disable",
        &["authentication_factor:write"],
        true,
    ),
    (
        "PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/enable",
        &["authentication_factor:write"],
        true,
    ),
    ("GET /mithril/api/users/{user_id}/devices", &["app:authorize", "authentication_factor:read"], true),
    (
        "DELETE /mithril/api/users/{user_id}/devices",
        &["app:authorize", "authentication_factor:write"],
        true,
    ),
    (
        "DELETE /mithril/api/users/{user_id}/devices/{id}",
        &["app:authorize", "authentication_factor:write"],
        true,
    ),
];

/// Scopes whose names promise read-only access.
const READING: [&str; 3] = ["read_user", "read_api", "authentication_factor:read"];

#[tokio::test]
async fn a_scope_authorizes_its_own_routes_and_no_read_scope_authorizes_a_write() {
    let world = World::new().await;
    let (demo, admin) = (world.demo(), world.demo_admin());
    let rows: Vec<_> = TABLE.iter().chain([&CHANGE]).collect();
    let known: BTreeSet<_> = rows.iter().map(|row| row.route).collect();
    let open: BTreeSet<_> = OPEN.iter().map(|(route, _, _)| *route).collect();
    assert_eq!(open, known, "say for each route that wants a token which scopes open it");

    let pin = "/api/v4/user/support_pin";
    world.post(pin).bearer(world.user()).send().await.ok(201);
    let factor = world.factor_of(&demo).await["id"].as_str().expect("an id").to_owned();
    for scope in world.scopes().await {
        let scope = scope.as_str();
        let scopes = json!([scope]);
        let person = world.create_token(json!({ "user_id": admin.id, "scopes": scopes })).await;
        let client = json!({ "owner_client_id": "heatclinic", "scopes": scopes });
        let client = world.create_token(client).await;
        let before = world.state().await;
        for &(route, open, to_clients) in OPEN {
            let row = rows.iter().find(|row| row.route == route).expect("just compared");
            let (method, path) = route.split_once(' ').expect("a method and a path");
            assert!(method == "GET" || !open.iter().any(|scope| READING.contains(scope)), "{route} writes");
            let path = match path.contains("{user_id}") {
                true => path.replace("{user_id}", &demo.id).replace("{id}", &factor),
                false => path.replace("{id}", &demo.id),
            };
            for (token, passes) in [(&person, true), (&client, to_clients)] {
                let mut ask = world.request(method, &format!("{path}{}", row.query)).bearer(token);
                if let Some((content_type, body)) = row.body {
                    ask = ask.body(content_type, body);
                }
                let got = ask.send().await;
                let what = format!("{route} with {scope}: {got:?}");
                match passes && open.contains(&scope) {
                    true => assert_eq!(got.status, row.passes, "{what}"),
                    false => assert!(matches!(got.status, 401 | 403), "{what}"),
                }
            }
        }
        assert_eq!(world.state().await, before, "{scope} has changed something");
    }
}
