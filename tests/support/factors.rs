//! Second factors: setting phone numbers, and switching factors off and on.

use serde_json::{Value, json};

use crate::support::{
    login::token_in,
    mithril::{APPROVE, INIT},
    people::Person,
    requests::Response,
    world::World,
};

impl World {
    /// The one factor of a user, as an administrator sees it.
    pub async fn factor_of(&self, person: &Person) -> Value {
        let got = self.get(&person.factors_path()).bearer(self.admin()).send().await;
        let [factor] = serde_json::from_value::<[Value; 1]>(got.ok(200)["data"].take()).expect("one factor");
        factor
    }

    /// Requests a code to a new phone number.
    pub async fn init_factor(&self, token: &str, phone: &str) -> Response {
        self.keep_phone_out_of_logs(phone);
        let body = json!({ "type": "SMS", "factor": phone });
        self.request("PATCH", INIT).bearer(token).json(&body).send().await
    }

    /// Submits the code that was sent to the new phone number.
    pub async fn approve_factor(&self, token: &str, otp: &str) -> Response {
        self.request("PATCH", APPROVE).bearer(token).json(&json!({ "otp": otp })).send().await
    }

    /// Resets, disables or enables the one factor of a user.
    pub async fn switch_factor(&self, person: &Person, action: &str, token: &str) -> Response {
        let id = self.factor_of(person).await["id"].as_str().expect("an id").to_owned();
        let path = format!("{}/{id}/actions/{action}", person.factors_path());
        self.request("PATCH", &path).bearer(token).send().await
    }

    /// The same, as an administrator; it must succeed.
    pub async fn switch_factor_as_admin(&self, person: &Person, action: &str) {
        self.switch_factor(person, action, self.admin()).await.ok(200);
    }

    /// Whether the factor of a user has a phone number.
    pub async fn has_phone(&self, person: &Person) -> bool {
        !self.factor_of(person).await["factor"].is_null()
    }
}

/// Creates a user whose factor has no phone number; returns the token of a login that waits for one.
pub async fn person_awaiting_phone(world: &World, login: &str) -> (Person, String) {
    let person = world.create_person(login).await;
    let got = world
        .post(&person.factors_path())
        .bearer(world.admin())
        .json(&json!({ "type": "SMS" }))
        .send()
        .await;
    got.ok(201);
    let got = world.sign_in(&person, &person.password).await;
    assert_eq!(got.ok(201)["urgent"]["next_step"], "REQUEST_FACTOR");
    let token = token_in(&got);
    (person, token)
}
