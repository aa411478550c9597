//! Pages in a real browser: the scripts in `tests/browser/`, and the local cloud's own page.

use serde_json::{Value, json};

use crate::support::{
    browser::in_a_browser,
    era::password_set,
    login::{api_grant, password_grant, token_in},
    people::{DOMAIN, PHONE},
    world::{World, binaries},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_local_page_works_in_a_browser() {
    World::new().await.in_a_browser("local_page.py", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authenticator_app_is_set_up_lost_and_replaced_in_a_browser() {
    World::new().await.in_a_browser("second_factors.py", &[]).await;
}

/// The program is built with the workspace, not only for these tests.
#[tokio::test]
async fn an_open_page_recovers_in_a_browser_when_the_local_cloud_restarts() {
    in_a_browser("restart.py", vec![binaries().join("countersign-local").into()]).await;
}

#[tokio::test]
async fn the_demo_identities_follow_a_change_of_their_password() {
    const CHANGED: &str = "Quiet-river.73~stone";
    const RESET: &str = "Third.lantern_51~fox";
    let world = World::new().await;
    let support_pin = async |ids: &Value| {
        let ask = world.post("/api/v4/user/support_pin");
        ask.private_token(ids["user"]["token"].as_str().expect("a text")).send().await.status
    };
    let first = world.identities().await;
    assert_eq!(first, world.ids, "nothing has changed yet");
    let current = world.id("/user/password");
    // A refused request changes nothing.
    let refused = world.change_password(world.user(), "not-the-current-one", CHANGED).await;
    assert_eq!(refused.status, 412);
    assert_eq!(world.identities().await, first);

    password_set(&world.change_password(world.user(), current, CHANGED).await, "demo");
    assert_eq!(support_pin(&first).await, 401, "the shown token has ended");
    let second = world.identities().await;
    let mut expected = first.clone();
    expected["user"]["password"] = CHANGED.into();
    expected["user"]["token"] = second["user"]["token"].clone();
    assert_eq!(second, expected);
    assert_eq!(support_pin(&second).await, 201);
    assert_eq!(world.identities().await, second, "once is enough");

    world.request_reset("demo").send().await.ok(200);
    let link = world.link_to(&format!("demo@{DOMAIN}")).await;
    password_set(&world.reset_password(&link, RESET).await, "demo");
    let third = world.identities().await;
    assert_eq!(third["user"]["password"], RESET);
    assert_eq!((support_pin(&second).await, support_pin(&third).await), (401, 201));
    let email = third["user"]["email"].as_str().expect("a text");
    world.request_token(password_grant(email, RESET)).await.ok(201);

    // Another user's password change has no effect.
    let (token, _) = world.new_user("maria").await;
    password_set(&world.change_password(&token, "correct-horse", CHANGED).await, "maria");
    assert_eq!(world.identities().await, third);
}

#[tokio::test]
async fn the_demo_identities_follow_a_change_of_the_phone() {
    const OTHER: &str = "+380501234567";
    let world = World::new().await;
    let token = token_in(&world.request_token(api_grant(&world.demo())).await);
    let access = token_in(&world.submit_code(&token, &world.code_to(PHONE).await).await);
    let approval = token_in(&world.init_factor(&access, OTHER).await);
    assert_eq!(world.identities().await, world.ids, "nothing changes before the code is back");
    world.approve_factor(&approval, &world.code_to(OTHER).await).await.ok(201);
    let mut expected = world.ids.clone();
    expected["user"]["phone"] = json!(OTHER);
    assert_eq!(world.identities().await, expected);
}

#[tokio::test]
async fn the_demo_identities_follow_across_a_restart() {
    let world = World::durable().await;
    password_set(
        &world.change_password(world.user(), world.id("/user/password"), "Quiet-river.73~stone").await,
        "demo",
    );
    // Nothing has read the identities in between.
    let world = world.restarted().await;
    assert_eq!(world.id("/user/password"), "Quiet-river.73~stone");
    let ask = world.post("/api/v4/user/support_pin").private_token(world.user());
    ask.send().await.ok(201);
}
