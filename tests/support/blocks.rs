//! Blocking users: by wrong passwords, by wrong codes, and by administrators.

use serde_json::{Value, json};

use crate::support::{
    login::other_than,
    mithril::{API, wrong_code, wrong_identity},
    people::Person,
    requests::Response,
    world::World,
};

impl World {
    /// Blocks a user by wrong passwords.
    pub async fn block_by_passwords(&self, person: &Person) {
        for _ in 0..4 {
            wrong_identity(&self.sign_in(person, "wrong").await);
        }
    }

    /// Blocks a user by wrong codes; returns the token of the login.
    pub async fn block_by_codes(&self, person: &Person) -> String {
        let (token, code) = self.begin_login(person).await;
        for _ in 0..4 {
            wrong_code(&self.submit_code(&token, &other_than(&code)).await);
        }
        token
    }

    /// The stored reason of a block.
    pub async fn why_blocked(&self, person: &Person) -> Value {
        self.user_row(&person.id).await["lockout"]["M"]["why"]["S"].take()
    }

    /// Blocks or unblocks a user as an administrator, in place of any other block; returns the user.
    pub async fn change_block(&self, person: &Person, action: &str) -> Value {
        let path = format!("{API}/users/{}/actions/{action}", person.id);
        let ask = self.request("PATCH", &path).bearer(self.admin());
        let ask = match action {
            "block" => ask.json(&json!({ "replace": true })),
            _ => ask,
        };
        ask.send().await.ok(200)["data"].take()
    }

    /// Requests to block or unblock a user as an administrator.
    pub async fn block_action(&self, person: &Person, action: &str) -> Response {
        self.request("PATCH", &person.action_path(action)).bearer(self.admin()).send().await
    }

    /// Requests to block a user as an administrator, in place of a block by failures.
    pub async fn replace_block(&self, person: &Person) -> Response {
        let ask = self.request("PATCH", &person.action_path("block")).bearer(self.admin());
        ask.json(&json!({ "replace": true })).send().await
    }
}
