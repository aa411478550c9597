//! Passcodes, and assertions about whole responses of their dialect.

use serde_json::Value;

use crate::support::{
    requests::{Request, Response},
    words::BAD_REQUEST,
    world::World,
};

/// The query of the demo client.
pub const CLIENT: (&str, &str) = ("client_id", "heatclinic");

/// A username.
pub const USER: &str = "test@test.com";

/// A purpose.
pub const PURPOSE: &str = "TEST_PURPOSE";

/// The parameter for a purpose whose passcodes have six digits.
pub const SHORT: &str = r#"{"PHONE":{"length":6,"alphabet":"0123456789"}}"#;

/// An issued passcode.
pub struct Issued {
    pub id: String,
    pub token: String,
}

impl World {
    /// The demo client's token for passcodes.
    pub fn passcode_token(&self) -> &str {
        self.id("/passcode_token")
    }

    /// Issues a passcode.
    pub async fn retrieve(&self, username: &str, purpose: &str) -> Issued {
        let query = [("purpose", purpose), ("username", username), CLIENT];
        let got = self.get("/passcode/retrieve").query(&query).bearer(self.passcode_token()).send().await;
        let body = got.ok(200);
        let text = |name: &str| body[name].as_str().expect("a text").to_owned();
        let issued = Issued {
            id: text("id"),
            token: text("token"),
        };
        assert_eq!(got.body, format!(r#"{{"id":"{}","token":"{}"}}"#, issued.id, issued.token));
        issued
    }

    /// A request to consume a passcode.
    pub fn consume(&self, passcode: &str, username: &str, purpose: &str) -> Request<'_> {
        self.post("/passcode/consume").query(&[CLIENT]).bearer(self.passcode_token()).form(&[
            ("passcode", passcode),
            ("purpose", purpose),
            ("username", username),
        ])
    }

    /// A request for the status of a passcode.
    pub fn status(&self, id: &str) -> Request<'_> {
        self.get("/passcode/status").query(&[("passcode_id", id), CLIENT]).bearer(self.passcode_token())
    }

    /// A request to invalidate a passcode.
    pub fn invalidate(&self, id: &str) -> Request<'_> {
        self.post("/passcode/invalidate")
            .query(&[CLIENT])
            .bearer(self.passcode_token())
            .form(&[("passcode_id", id)])
    }

    /// Asserts whether a passcode is valid.
    pub async fn is_valid(&self, id: &str, valid: bool) {
        self.status(id).send().await.is(200, &format!(r#"{{"id":"{id}","valid":{valid}}}"#));
    }
}

/// Asserts a whole error response of the dialect, which is Spring's.
#[track_caller]
pub fn spring_refused(got: &Response, status: u16, error: &str, path: &str) {
    let body: Value = serde_json::from_str(&got.body).expect("JSON");
    let at = body["timestamp"].as_str().expect("a time");
    assert!(at.len() == 20 && at.starts_with("20") && at.ends_with('Z'), "{at}");
    got.is(status, &format!(r#"{{"timestamp":"{at}","status":{status},"error":"{error}","path":"{path}"}}"#));
}

/// Asserts that a passcode is refused.
#[track_caller]
pub fn passcode_refused(got: &Response) {
    spring_refused(got, 400, BAD_REQUEST, "/passcode/consume");
}
