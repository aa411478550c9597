//! Support PINs.

use crate::support::{requests::Got, world::World};

pub const OWN_PIN: &str = "/api/v4/user/support_pin";

pub fn pin_path(id: &str) -> String {
    format!("/api/v4/users/{id}/support_pin")
}

pub fn revocation_path(id: &str) -> String {
    format!("{}/revoke", pin_path(id))
}

/// The PIN of an answer, after a look at its form.
#[track_caller]
pub fn pin_in(got: &Got, status: u16) -> String {
    let body = got.ok(status);
    let pin = body["pin"].as_str().expect("a string").to_owned();
    let end = body["expires_at"].as_str().expect("a string");
    assert!(pin.len() == 6 && pin.bytes().all(|b| b.is_ascii_digit()), "{pin}");
    assert_eq!(
        got.body,
        format!(r#"{{"pin":"{pin}","expires_at":"{end}"}}"#),
        "exactly these two keys"
    );
    assert!(
        end.len() == 20 && end.ends_with('Z') && !end.contains('.'),
        "whole seconds, UTC: {end}"
    );
    pin
}

pub async fn create_pin(world: &World, token: &str) -> String {
    pin_in(&world.post(OWN_PIN).private_token(token).send().await, 201)
}
