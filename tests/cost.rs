//! What a request costs in DynamoDB calls, as the local cloud counts them: the README's cost table stands on this.

use serde_json::Value;

use crate::{
    passcode::{PURPOSE, USER},
    world::World,
};

const WRITES: [&str; 4] = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"];

async fn check(world: &World, what: &str, calls: usize, writes: usize) {
    let list = world.invocations().await;
    assert_eq!(list.len(), 1, "{what}: {list:?}");
    let made: Vec<&str> = list[0]["calls"]
        .as_array()
        .expect("calls")
        .iter()
        .filter_map(|call| call["operation"].as_str())
        .collect();
    let wrote = made.iter().filter(|operation| WRITES.contains(operation)).count();
    assert!(made.len() <= calls && wrote <= writes, "{what} made {made:?}");
    for call in list[0]["calls"].as_array().expect("calls") {
        assert_eq!(
            call["service"], "dynamodb",
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
async fn who_is_turned_away_at_the_door_costs_no_call() {
    let world = World::new().await;
    for (method, path) in [
        ("POST", "/api/v4/user/support_pin"),
        ("GET", "/passcode/retrieve"),
        ("GET", "/nothing"),
        ("PUT", "/openapi.json"),
    ] {
        world.invocations().await;
        world.ask(method, path).send().await;
        world.ask(method, path).bearer("glpat-XXXXXXXXXXXXXXXXX").send().await;
        for invocation in world.invocations().await {
            assert_eq!(invocation["calls"].as_array().expect("calls").len(), 0, "{invocation}");
        }
    }
}
