//! The Mithril dialect: its paths, and assertions about whole responses.

use serde_json::{Value, json};

use crate::support::{
    requests::Response,
    words::{TOKEN_EXPIRED, TOO_MANY_SENDS, VALIDATION_FAILED, WRONG_IDENTITY},
};

/// The path of the dialect.
pub const API: &str = "/mithril/api";

/// The path of logins.
pub const TOKENS: &str = "/mithril/api/tokens";

/// The path of users.
pub const USERS: &str = "/mithril/api/users";

/// The route that replaces recovery codes.
pub const RECOVERY_CODES: &str = "/mithril/api/users/actions/recovery_codes";

/// The path that sends a code to a new phone number.
pub const INIT: &str = "/mithril/api/users/actions/init_factor";

/// The path that takes the code of a new phone number.
pub const APPROVE: &str = "/mithril/api/users/actions/approve_factor";

/// Asserts that an address and password are refused.
#[track_caller]
pub fn wrong_identity(got: &Response) {
    refused(got, 401, "access_denied", WRONG_IDENTITY);
}

/// Asserts that a code is refused as wrong.
#[track_caller]
pub fn wrong_code(got: &Response) {
    refused(got, 401, "otp_invalid", "Invalid OTP code.");
}

/// Asserts that a token is refused as unknown.
#[track_caller]
pub fn token_invalid(got: &Response) {
    refused(got, 401, "token_invalid", "Invalid token.");
}

/// Asserts that a token is refused as expired, replaced or revoked.
#[track_caller]
pub fn token_expired(got: &Response) {
    refused(got, 401, "token_expired", TOKEN_EXPIRED);
}

/// Asserts that a user is blocked.
#[track_caller]
pub fn user_blocked(got: &Response) {
    refused(got, 401, "user_blocked", "User blocked.");
}

/// The seconds of `Retry-After`, from 1 to `most`.
#[track_caller]
pub fn wait_of(got: &Response, most: u64) -> u64 {
    let wait = got.header("retry-after").and_then(|wait| wait.parse().ok());
    let wait = wait.unwrap_or_else(|| panic!("no Retry-After: {got:?}"));
    assert!((1..=most).contains(&wait), "{got:?}");
    wait
}

/// Asserts that too many codes were sent; returns the seconds to wait, at most `most`.
#[track_caller]
pub fn too_many_sends(got: &Response, most: u64) -> u64 {
    refused(got, 429, "otp_timeout", TOO_MANY_SENDS);
    wait_of(got, most)
}

/// Asserts a whole error response.
#[track_caller]
pub fn refused(got: &Response, status: u16, r#type: &str, message: &str) {
    let body = got.json();
    assert_eq!(got.status, status, "{got:?}");
    assert_eq!(body["error"], json!({ "type": r#type, "message": message }), "{got:?}");
    let meta = &body["meta"];
    assert_eq!((&meta["code"], &meta["type"]), (&json!(status), &json!("object")));
    assert!(meta["url"].as_str().is_some_and(|url| url.contains(API)), "{got:?}");
    assert!(meta["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{got:?}");
    assert_eq!(body.as_object().map(|body| body.len()), Some(2), "{got:?}");
}

/// The data of a success, after a check of the whole response.
#[track_caller]
pub fn data(got: &Response, status: u16) -> Value {
    let mut body = got.ok(status);
    let meta = &body["meta"];
    assert_eq!((&meta["code"], &meta["type"]), (&json!(status), &json!("object")));
    assert!(meta["url"].as_str().is_some_and(|url| url.contains(API)), "{got:?}");
    assert!(meta["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{got:?}");
    assert_eq!(body.as_object().map(|body| body.len()), Some(2), "{got:?}");
    body["data"].take()
}

/// Asserts which fields are refused: for each its path, rule and description.
#[track_caller]
pub fn fields_refused(got: &Response, expected: &[[&str; 3]]) {
    let mut body = got.json();
    let invalid = body["error"]["invalid"].take();
    let error = json!({ "type": "validation_failed", "message": VALIDATION_FAILED, "invalid": null });
    assert_eq!((got.status, &body["error"]), (422, &error), "{got:?}");
    let invalid = invalid.as_array().expect("a list").iter();
    let said: Vec<_> = invalid
        .map(|invalid| {
            let rule = &invalid["rules"][0];
            [&invalid["entry"], &rule["rule"], &rule["description"]].map(|text| text.as_str().expect("a text"))
        })
        .collect();
    assert_eq!(said, expected, "{got:?}");
}

/// Asserts that a token is refused as one of another type.
#[track_caller]
pub fn token_invalid_type(got: &Response) {
    refused(got, 401, "token_invalid_type", "Invalid token type");
}

/// Asserts that a token is refused because it lacks a scope.
#[track_caller]
pub fn scope_too_small(got: &Response, scope: &str) {
    let words = format!("Your scope does not allow to access this resource. Missing allowances: {scope}");
    refused(got, 403, "forbidden", &words);
    let challenge = format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
    assert_eq!(got.header("www-authenticate"), Some(challenge.as_str()));
}

/// Asserts that a user or factor is not found.
#[track_caller]
pub fn not_found(got: &Response) {
    refused(got, 404, "not_found", "Not found.");
}

/// Asserts that the caller has no permission.
#[track_caller]
pub fn forbidden(got: &Response) {
    refused(got, 403, "forbidden", "Forbidden.");
}
