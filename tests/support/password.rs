//! Passwords: requesting a reset, resetting and changing them.

use serde_json::json;

use crate::support::{
    era::{CHECK_MAIL, field_refused},
    people::DOMAIN,
    requests::{Request, Response},
    words::WRONG_PASSWORD,
    world::World,
};

/// The path of resets and changes.
pub const RESET: &str = "/rest/v1/iam/pwd_reset_requests";

/// The password that [`World::new_user`] sets.
pub const OLD: &str = "correct-horse";

/// Another password.
pub const NEW: &str = "ew!hIb3V";

/// The id of no request.
pub const UNKNOWN_REQUEST: &str = "19738eb3-0183-b148-9420-7cd30a921f58";

impl World {
    /// A request to reset a password in the demo domain, from a new address.
    pub fn request_reset(&self, key: &str) -> Request<'_> {
        self.post(RESET).json(&json!({ "key": key, "domain": DOMAIN })).with_new_address()
    }

    /// Resets a password with the id of a mailed link.
    pub async fn reset_password(&self, id: &str, pwd: &str) -> Response {
        self.keep_out_of_logs(pwd);
        let request = self.request("PATCH", &format!("{RESET}/{id}"));
        request.json(&json!({ "pwd": pwd })).send().await
    }

    /// Changes a password with an access token.
    pub async fn change_password(&self, token: &str, current: &str, new: &str) -> Response {
        for secret in [current, new] {
            self.keep_out_of_logs(secret);
        }
        let body = json!({ "current_pwd": current, "new_pwd": new });
        self.post(RESET).bearer(token).json(&body).send().await
    }

    /// Whether a user has this password. It changes the password into itself, which revokes what a change revokes.
    pub async fn password_works(&self, user_id: &str, pwd: &str) -> bool {
        let token = self.create_token(json!({ "user_id": user_id, "scopes": ["api"] })).await;
        let got = self.change_password(&token, pwd, pwd).await;
        match got.status {
            200 => true,
            _ => {
                field_refused(&got, "current_pwd", WRONG_PASSWORD);
                false
            }
        }
    }

    /// Requests a reset; returns the id of the mailed link.
    pub async fn reset_link(&self, key: &str, email: &str) -> String {
        self.request_reset(key).send().await.is(200, CHECK_MAIL);
        self.link_to(email).await
    }
}

/// Asserts how many notices of a password change an address got: each without a link, and with the time.
pub async fn change_notices_sent(world: &World, email: &str, count: usize) {
    let mut mails = world.mails_to(email).await;
    mails.retain(|mail| mail["subject"] == format!("Your password at {DOMAIN} was changed"));
    assert_eq!(mails.len(), count, "{mails:?}");
    for mail in mails {
        let time = mail["at"].as_str().expect("a time")[..16].replace('T', " ");
        for part in ["text", "html"] {
            let body = mail[part].as_str().expect("text");
            for link in ["://", "href", "<a", "app-root", "www."] {
                assert!(!body.contains(link), "a link in {body}");
            }
            // A minute may pass between the change and the mail.
            assert!(body.contains(&time[..13]) && body.contains("UTC"), "{time} is not in {body}");
        }
    }
}
