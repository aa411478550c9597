//! Key rotation without downtime (security.md R08): no function is restarted in these tests.

use serde_json::{Value, json};

use crate::support::{
    login::token_in,
    mithril::wrong_code,
    passcode::{PURPOSE, USER},
    support_pin::OWN_PIN,
    words::INTERNAL_ERROR,
    world::World,
};

const SECRETS: [&str; 3] = ["SupportPinKeys", "PasscodeKeys", "OtpKeys"];

impl World {
    /// Adds a second key to each secret, which signs from `at` on.
    async fn add_second_keys(&self, at: u64) {
        for secret in SECRETS {
            let secret = format!("countersign-{secret}");
            let mut keys = self.keys(&secret).await;
            keys["2"] = json!({ "key": format!("{:0>64}", "a second key"), "signs_from": at });
            self.set_keys(&secret, &keys).await;
        }
    }

    /// Removes the first key from each secret.
    async fn retire_first_keys(&self) {
        for secret in SECRETS {
            let secret = format!("countersign-{secret}");
            let keys = json!({ "2": self.keys(&secret).await["2"] });
            self.set_keys(&secret, &keys).await;
        }
    }

    async fn pin(&self, method: &str) -> Value {
        let got = self.request(method, OWN_PIN).private_token(self.user()).send().await;
        let pin = got.ok(if method == "POST" { 201 } else { 200 });
        pin["pin"].clone()
    }

    async fn pin_key(&self) -> String {
        self.rows("SupportPinsTable").await[0]["key_id"]["N"].as_str().expect("a number").to_owned()
    }
}

#[tokio::test]
async fn a_new_key_verifies_at_once_and_signs_when_it_is_due() {
    let world = World::new().await;
    let demo = world.demo();
    let pin = world.pin("POST").await;
    assert_eq!(world.pin("GET").await, pin);
    let first = world.retrieve(USER, PURPOSE).await;
    world.consume("wrong", USER, PURPOSE).send().await.ok(400);
    world.begin_login(&demo).await;

    let due = world.now().await + 600;
    world.add_second_keys(due).await;
    world.advance(590).await;
    assert_eq!(world.pin("GET").await, pin);
    let unchanged = world.pin("POST").await;
    assert_eq!(world.pin_key().await, "1", "the new key does not sign yet");
    let second = world.retrieve(USER, PURPOSE).await;
    let (token, code) = world.begin_login(&demo).await;
    assert_eq!(world.code_row(&demo).await["key_id"]["N"], "1");

    world.consume(&first.token, USER, PURPOSE).send().await.ok(200);
    world.advance(10).await;
    assert_eq!(world.pin("GET").await, unchanged, "the old key still opens");
    world.consume(&second.token, USER, PURPOSE).send().await.ok(200);
    token_in(&world.submit_code(&token, &code).await);

    let replaced = world.pin("POST").await;
    assert_eq!((world.pin_key().await.as_str(), world.pin("GET").await), ("2", replaced));
    let third = world.retrieve(USER, PURPOSE).await;
    world.consume(&third.token, USER, PURPOSE).send().await.ok(200);
    let (token, code) = world.begin_login(&demo).await;
    assert_eq!(world.code_row(&demo).await["key_id"]["N"], "2");
    token_in(&world.submit_code(&token, &code).await);
}

#[tokio::test]
async fn secrets_of_a_lost_key_fail_closed() {
    let world = World::new().await;
    let demo = world.demo();
    let passcode = world.retrieve(USER, PURPOSE).await;
    let (token, code) = world.begin_login(&demo).await;
    world.pin("POST").await;
    world.pin("GET").await;
    token_in(&world.submit_code(&token, &code).await);
    let (token, code) = world.begin_login(&demo).await;
    world.add_second_keys(0).await;
    world.retire_first_keys().await;
    // Functions that have not refreshed their keys continue to work.
    token_in(&world.submit_code(&token, &code).await);
    world.advance(290).await;
    world.pin("GET").await;
    let (token, code) = world.begin_login(&demo).await;
    assert_eq!(world.code_row(&demo).await["key_id"]["N"], "1");

    world.advance(11).await;
    let got = world.get(OWN_PIN).private_token(world.user()).send().await;
    got.is(500, INTERNAL_ERROR);
    world.consume(&passcode.token, USER, PURPOSE).send().await.ok(400);
    wrong_code(&world.submit_code(&token, &code).await);
    let (token, code) = world.begin_login(&demo).await;
    token_in(&world.submit_code(&token, &code).await);
    world.pin("POST").await;
    assert_eq!(world.pin_key().await, "2");
}

#[tokio::test]
async fn functions_keep_their_keys_if_a_refresh_fails() {
    let world = World::new().await;
    let pin = world.pin("POST").await;
    let unreadable =
        json!({ "service": "secretsmanager", "operation": null, "kind": "error", "skip": 0, "times": 1000 });
    world.inject(unreadable).await;
    // The function that reads the PIN has not run yet, and cannot start.
    world.get(OWN_PIN).private_token(world.user()).send_unchecked().await.ok(500);
    world.clear_faults().await;
    assert_eq!(world.pin("GET").await, pin);

    world.add_second_keys(world.now().await + 600).await;
    let unreadable =
        json!({ "service": "secretsmanager", "operation": null, "kind": "error", "skip": 0, "times": 1000 });
    world.inject(unreadable).await;
    world.advance(700).await;
    assert_eq!(world.pin("GET").await, pin);
    world.invocations().await;
    assert_eq!(world.pin("GET").await, pin);
    let calls = world.invocations().await;
    assert!(
        calls.iter().all(|one| !one["calls"].to_string().contains("secretsmanager")),
        "a failure is not tried again with every call: {calls:?}"
    );
    world.clear_faults().await;
    world.advance(30).await;
    world.pin("POST").await;
    assert_eq!(world.pin_key().await, "2");
    assert_ne!(world.pin("GET").await, pin);
}
