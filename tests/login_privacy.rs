//! Nobody learns from a login who has an account (security.md R27).

use serde_json::Value;

use crate::{
    mail::seen,
    mithril::{password_grant, user_blocked, wrong_identity},
    world::{Got, World},
};

/// What the newest login called.
async fn calls(world: &World) -> Value {
    let all = world.invocations().await;
    let mut own = all.into_iter().filter(|one| one["function"] == "token-create");
    let calls = own.next().expect("an invocation")["calls"].take();
    assert!(own.next().is_none());
    calls
}

/// An answer as everybody sees it, without the id of its request.
fn shown(got: &Got) -> (u16, Vec<(String, String)>, Value) {
    let (status, headers, body) = seen(got);
    let mut body: Value = serde_json::from_str(&body).expect("JSON");
    body["meta"]["request_id"].take();
    (status, headers, body)
}

#[tokio::test]
async fn nobody_learns_from_a_login_who_has_an_account() {
    let world = World::new().await;
    let person = world.person("maria").await;
    let (_, _) = world.new_user_in("other.example", "other", false).await;
    let blocked = world.person("blocked").await;
    world.invocations().await;
    let expected = shown(&world.sign_in(&person, "wrong").await);
    let cost = calls(&world).await;
    assert_eq!(
        cost.as_array().map(Vec::len),
        Some(6),
        "client, address, user, count, count of the source, audit event: {cost}"
    );
    let long = format!("{}@example.org", "x".repeat(300));
    for (email, password) in [
        (person.email.as_str(), "another"),
        ("nobody@example.org", "wrong"),
        // Another domain's user, with the right password.
        ("other@example.org", "correct-horse"),
        ("no address", "wrong"),
        (&long, "wrong"),
        ("a@b@c", "wrong"),
        ("nobody@example.org", "a"),
    ] {
        let got = world.grant(password_grant(email, password)).await;
        assert_eq!(shown(&got), expected, "{email}");
        assert_eq!(calls(&world).await, cost, "{email}");
    }
    // A blocked user learns that; the way to the answer is the same.
    for _ in 0..4 {
        wrong_identity(&world.sign_in(&blocked, "wrong").await);
    }
    world.invocations().await;
    for password in ["wrong", &blocked.password] {
        user_blocked(&world.sign_in(&blocked, password).await);
        assert_eq!(calls(&world).await, cost, "blocked");
    }
}
