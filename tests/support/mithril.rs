//! Logins: passwords, codes, tokens.

use serde_json::{Value, json};

use crate::support::{
    requests::Response,
    words::{TOKEN_EXPIRED, TOO_MANY_SENDS, VALIDATION_FAILED, WRONG_IDENTITY},
};

pub const API: &str = "/mithril/api";
pub const TOKENS: &str = "/mithril/api/tokens";

pub const USERS: &str = "/mithril/api/users";
pub const INIT: &str = "/mithril/api/users/actions/init_factor";
pub const APPROVE: &str = "/mithril/api/users/actions/approve_factor";

/// That somebody is not known by this address and password.
#[track_caller]
pub fn wrong_identity(got: &Response) {
    refused(got, 401, "access_denied", WRONG_IDENTITY);
}

/// That a code is not the right one.
#[track_caller]
pub fn wrong_code(got: &Response) {
    refused(got, 401, "otp_invalid", "Invalid OTP code.");
}

/// That a text is no token, and never was.
#[track_caller]
pub fn token_invalid(got: &Response) {
    refused(got, 401, "token_invalid", "Invalid token.");
}

/// That a token has ended: by its time, by another one in its place, or with all of its owner's.
#[track_caller]
pub fn token_expired(got: &Response) {
    refused(got, 401, "token_expired", TOKEN_EXPIRED);
}

/// That a user is blocked.
#[track_caller]
pub fn user_blocked(got: &Response) {
    refused(got, 401, "user_blocked", "User blocked.");
}

/// For how many seconds a refusal asks to wait; at most so many.
#[track_caller]
pub fn wait_of(got: &Response, most: u64) -> u64 {
    let wait = got.header("retry-after").and_then(|wait| wait.parse().ok());
    let wait = wait.unwrap_or_else(|| panic!("no Retry-After: {got:?}"));
    assert!((1..=most).contains(&wait), "{got:?}");
    wait
}

/// That too many codes were sent; gives for how many seconds, at most so many, none is sent.
#[track_caller]
pub fn too_many_sends(got: &Response, most: u64) -> u64 {
    refused(got, 429, "otp_timeout", TOO_MANY_SENDS);
    wait_of(got, most)
}

/// Compares a whole refusal.
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

/// The data of a success, in an answer that holds nothing else.
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

/// Compares what is said of values that were not taken: of each the place, the rule and the words.
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

#[track_caller]
pub fn token_invalid_type(got: &Response) {
    refused(got, 401, "token_invalid_type", "Invalid token type");
}

/// What a scope is missing for.
#[track_caller]
pub fn scope_too_small(got: &Response, scope: &str) {
    let words = format!("Your scope does not allow to access this resource. Missing allowances: {scope}");
    refused(got, 403, "forbidden", &words);
    let challenge = format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
    assert_eq!(got.header("www-authenticate"), Some(challenge.as_str()));
}

/// That there is no such user or factor.
#[track_caller]
pub fn not_found(got: &Response) {
    refused(got, 404, "not_found", "Not found.");
}

/// That it is not the caller's to do.
#[track_caller]
pub fn forbidden(got: &Response) {
    refused(got, 403, "forbidden", "Forbidden.");
}
