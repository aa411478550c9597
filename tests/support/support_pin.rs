//! Support PINs.

use crate::support::{
    people::Person,
    requests::Response,
    words::{NO_PIN, NO_PIN_TO_REVOKE},
    world::World,
};

/// The path of the caller's own PIN.
pub const OWN_PIN: &str = "/api/v4/user/support_pin";

impl World {
    /// Asserts that an administrator finds no PIN of a user, to read or to revoke.
    pub async fn shows_no_pin(&self, person: &Person) {
        let of = format!("/api/v4/users/{}/support_pin", person.id);
        let read = self.get(&of).private_token(self.admin()).send().await;
        read.is(404, NO_PIN);
        let revoke = self.post(&format!("{of}/revoke")).private_token(self.admin());
        revoke.send().await.is(404, NO_PIN_TO_REVOKE);
    }
}

/// The path of a user's PIN.
pub fn pin_path(id: &str) -> String {
    format!("/api/v4/users/{id}/support_pin")
}

/// The path that revokes a user's PIN.
pub fn revocation_path(id: &str) -> String {
    format!("{}/revoke", pin_path(id))
}

/// The PIN in a response, after a check of the whole response.
#[track_caller]
pub fn pin_in(got: &Response, status: u16) -> String {
    let body = got.ok(status);
    let pin = body["pin"].as_str().expect("a string").to_owned();
    let end = body["expires_at"].as_str().expect("a string");
    assert!(pin.len() == 6 && pin.bytes().all(|b| b.is_ascii_digit()), "{pin}");
    assert_eq!(got.body, format!(r#"{{"pin":"{pin}","expires_at":"{end}"}}"#), "exactly these two keys");
    assert!(end.len() == 20 && end.ends_with('Z') && !end.contains('.'), "whole seconds, UTC: {end}");
    pin
}

/// Creates the PIN of a token's owner.
pub async fn create_pin(world: &World, token: &str) -> String {
    pin_in(&world.post(OWN_PIN).private_token(token).send().await, 201)
}
