//! Administrators without a second factor (docs/settings.md, RequireAdminFactor).

use serde_json::json;

use crate::support::{
    login::{api_grant, password_grant, token_in},
    mithril::{USERS, forbidden},
    people::{Person, UNKNOWN_ID},
    world::World,
};

/// The scopes of an administrator's work.
const SCOPES: &str =
    "api app:authorize user:write user:block user:unblock authentication_factor:read authentication_factor:write";

/// Logs an administrator in, with these scopes.
async fn log_in(world: &World, admin: &Person) -> String {
    let mut body = password_grant(&admin.email, &admin.password);
    body["scope"] = SCOPES.into();
    token_in(&world.request_token(body).await)
}

#[tokio::test]
async fn an_administrator_whose_login_had_no_second_factor_has_no_rights_over_others() {
    let world = World::with(&[("RequireAdminFactor", "true")]).await;
    let (admin, demo) = (world.demo_admin(), world.demo());
    let token = log_in(&world, &admin).await;
    let pin = format!("/api/v4/users/{}/support_pin", demo.id);
    let read = |token: &str| world.get(&pin).private_token(token).send();
    let act = |token: &str, action: &str| world.request("PATCH", &demo.action_path(action)).bearer(token).send();
    let create = async |token: &str, login: &str| {
        let body = json!({ "email": format!("{login}@example.org"), "password": "ew!hIb3V-x" });
        world.post_user(token, &body).await
    };
    let factors = |token: &str| world.get(&demo.factors_path()).bearer(token).send();

    // The same for a user who exists and for one who does not.
    for path in [pin.clone(), format!("/api/v4/users/{UNKNOWN_ID}/support_pin")] {
        let got = world.get(&path).private_token(&token).send().await;
        got.is(403, r#"{"message":"403 Forbidden"}"#);
    }
    for action in ["block", "unblock"] {
        forbidden(&act(&token, action).await);
    }
    forbidden(&world.request("PATCH", &format!("{USERS}/{UNKNOWN_ID}/actions/block")).bearer(&token).send().await);
    forbidden(&create(&token, "new").await);
    forbidden(&factors(&token).await);
    // One's own account is another matter.
    world.get("/api/v4/user/support_pin").private_token(&token).send().await.ok(404);
    world.get(&admin.factors_path()).bearer(&token).send().await.ok(200);

    // With an authenticator app, the approval proves it, and each login after it.
    let user = world.enrol(&admin, &token).await;
    world.advance(60).await;
    let mut body = password_grant(&admin.email, &admin.password);
    body["scope"] = SCOPES.into();
    let login = token_in(&world.request_token(body).await);
    let token = token_in(&world.submit_code(&login, &world.app_code(&user.app).await).await);
    read(&token).await.ok(404);
    create(&token, "new").await.ok(201);
    factors(&token).await.ok(200);
    act(&token, "block").await.ok(200);
    act(&token, "unblock").await.ok(200);
    // A token that the operator created is no login.
    world.get(&pin).private_token(world.admin()).send().await.ok(404);
}

#[tokio::test]
async fn users_who_are_no_administrators_are_not_concerned() {
    let world = World::with(&[("RequireAdminFactor", "true")]).await;
    let maria = world.create_person("maria").await;
    let token = token_in(&world.request_token(api_grant(&maria)).await);
    world.post("/api/v4/user/support_pin").private_token(&token).send().await.ok(201);
}

#[tokio::test]
async fn by_default_the_password_is_enough() {
    let world = World::new().await;
    let token = log_in(&world, &world.demo_admin()).await;
    let path = format!("{USERS}/{}/authentication_factors", world.demo().id);
    world.get(&path).bearer(&token).send().await.ok(200);
}
