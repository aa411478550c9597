//! What a request costs in DynamoDB calls, as the local cloud counts them: the README's cost table stands on this.

use serde_json::Value;

use crate::{
    passcode::{PURPOSE, USER},
    world::World,
};

const WRITES: [&str; 4] = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"];

/// What one request cost: at most so many calls, and so many of them writes. A transaction counts as one call here;
/// what is in it stands in its handler.
async fn check(world: &World, what: &str, calls: usize, writes: usize) {
    let list = world.invocations().await;
    assert_eq!(list.len(), 1, "{what}: {list:?}");
    let calls_made = list[0]["calls"].as_array().expect("calls").iter();
    let made: Vec<&str> = calls_made
        .filter(|call| call["service"] != "ses")
        .filter_map(|call| call["operation"].as_str())
        .collect();
    let wrote = made.iter().filter(|operation| WRITES.contains(operation)).count();
    assert!(made.len() <= calls && wrote <= writes, "{what} made {made:?}");
    for call in list[0]["calls"].as_array().expect("calls") {
        assert_ne!(
            call["service"], "secretsmanager",
            "{what}: keys are read while the function starts, and not for a call"
        );
        assert_ne!(call["operation"], Value::from("Query"), "{what}");
        assert_ne!(call["operation"], Value::from("Scan"), "{what}");
    }
}

#[tokio::test]
async fn every_route_keeps_to_its_number_of_calls() {
    let world = World::new().await;
    world.invocations().await;
    let own = "/api/v4/user/support_pin";
    let of = format!("/api/v4/users/{}/support_pin", world.id("/user/user_id"));
    world.post(own).private_token(world.user()).send().await.ok(201);
    check(&world, "create", 2, 1).await;
    world.get(own).private_token(world.user()).send().await.ok(200);
    check(&world, "read one's own", 2, 0).await;
    world.get(&of).private_token(world.admin()).send().await.ok(200);
    check(&world, "read a user's", 2, 0).await;
    world
        .post(&format!("{of}/revoke"))
        .private_token(world.admin())
        .send()
        .await
        .ok(202);
    check(&world, "revoke", 3, 1).await;

    let issued = world.retrieve(USER, PURPOSE).await;
    check(&world, "retrieve", 2, 1).await;
    world.status(&issued.id).send().await.ok(200);
    check(&world, "status", 2, 0).await;
    for status in [200, 400] {
        world.consume(&issued.token, USER, PURPOSE).send().await.ok(status);
        check(&world, "consume", 2, 1).await;
    }
    world.invalidate(&issued.id).send().await.ok(200);
    check(&world, "invalidate", 2, 1).await;
}

#[tokio::test]
async fn mailed_links_keep_to_their_number_of_calls() {
    let world = World::new().await;
    let email = "my.address@yandex.ru";
    world.invocations().await;
    world.register("my_login", email).send().await.ok(200);
    check(&world, "ask to register", 5, 4).await;
    let link = world.link_to(email).await;
    world.invocations().await;
    world.confirm(&link, "ew!hIb3V").await.ok(200);
    check(&world, "confirm a registration", 3, 1).await;
    world.forgot("my_login").send().await.ok(200);
    check(&world, "ask for a reset", 7, 4).await;
    let link = world.link_to(email).await;
    world.invocations().await;
    world.reset(&link, "ew!hIb3W").await.ok(200);
    check(&world, "confirm a reset", 4, 1).await;
    let (token, _) = world.new_user("other").await;
    world.invocations().await;
    world.change_password(&token, "correct-horse", "ew!hIb3V").await.ok(200);
    check(&world, "change a password", 5, 2).await;
    world
        .register("third", "third@yandex.ru")
        .header("idempotency-key", "one")
        .send()
        .await
        .ok(200);
    check(&world, "ask to register, once", 7, 6).await;
}

#[tokio::test]
async fn who_is_turned_away_at_the_door_costs_no_call() {
    let world = World::new().await;
    for (method, path) in [
        ("POST", "/api/v4/user/support_pin"),
        ("GET", "/passcode/retrieve"),
        ("GET", "/nothing"),
        ("PUT", "/openapi.json"),
        ("POST", "/rest/v1/iam/self_register_requests"),
        ("PATCH", "/rest/v1/iam/self_register_requests/1"),
        ("POST", "/rest/v1/iam/pwd_reset_requests"),
        ("PATCH", "/rest/v1/iam/pwd_reset_requests/1"),
    ] {
        world.invocations().await;
        world.ask(method, path).send().await;
        world.ask(method, path).bearer("glpat-XXXXXXXXXXXXXXXXX").send().await;
        for invocation in world.invocations().await {
            assert_eq!(invocation["calls"].as_array().expect("calls").len(), 0, "{invocation}");
        }
    }
}
