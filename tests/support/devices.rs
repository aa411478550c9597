//! Known devices.

use serde_json::{Value, json};

use crate::support::{login::api_grant, people::Person, requests::Response, world::World};

impl World {
    /// Logs in with the password, without a second factor, and makes the device a known one; returns its token.
    pub async fn add_device(&self, person: &Person) -> String {
        let mut body = api_grant(person);
        body["device"] = true.into();
        self.device_in(&self.post("/mithril/api/tokens").json(&body).with_new_address().send().await)
    }

    /// The token of a device in a response; it must be in no log.
    #[track_caller]
    pub fn device_in(&self, got: &Response) -> String {
        let body = got.ok(201);
        let token = body["urgent"]["device_token"].as_str().unwrap_or_else(|| panic!("no device: {body}"));
        self.keep_out_of_logs(token);
        token.to_owned()
    }

    /// Logs in with a password from a known device, for a token that [`World::token_works`] accepts.
    pub async fn sign_in_from(&self, person: &Person, password: &str, device: &str) -> Response {
        let mut body = api_grant(person);
        body["password"] = password.into();
        body["device_token"] = device.into();
        self.request_token(body).await
    }

    /// The devices of a user, as stored.
    pub async fn device_rows(&self, person: &Person) -> Vec<Value> {
        let rows = self.rows("DevicesTable").await;
        let own = rows.into_iter().find(|row| row["user_id"]["S"] == person.id.as_str());
        let mut own = own.unwrap_or_else(|| json!({ "devices": { "L": [] } }));
        match own["devices"]["L"].take() {
            Value::Array(devices) => devices.into_iter().map(|mut device| device["M"].take()).collect(),
            other => panic!("no list: {other}"),
        }
    }

    /// The failures in a row of a user's only device.
    pub async fn device_failures(&self, person: &Person) -> u64 {
        match &self.device_rows(person).await[..] {
            [device] => device["failures"]["N"].as_str().and_then(|text| text.parse().ok()).expect("a number"),
            other => panic!("not one device: {other:?}"),
        }
    }
}

/// The path of a user's devices.
pub fn devices_path(person: &Person) -> String {
    format!("/mithril/api/users/{}/devices", person.id)
}
