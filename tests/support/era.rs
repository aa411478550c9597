//! The Era dialect: assertions about whole responses.

use crate::support::{people::DOMAIN, requests::Response, words::TEMPORARILY_UNAVAILABLE};

/// The response to a request for a mail. It does not depend on whether a mail is sent, to prevent enumeration.
pub const CHECK_MAIL: &str =
    r#"{"error_code":0,"result":true,"result_msg":"Check your email box for confirmation URL"}"#;

/// Asserts that the value of a field is refused.
pub fn field_refused(got: &Response, field: &str, message: &str) {
    let body = format!(r#"{{"error_code":1501,"error_message":"{message}","error_details":{{"field":"{field}"}}}}"#);
    assert_eq!((got.status, got.body.as_str()), (412, body.as_str()));
}

/// Asserts any other error response.
pub fn era_refused(got: &Response, status: u16, message: &str) {
    let body = format!(r#"{{"error_code":{},"error_message":"{message}"}}"#, 1000 + status);
    assert_eq!((got.status, got.body.as_str()), (status, body.as_str()));
}

/// Asserts that the store has failed.
#[track_caller]
pub fn era_unavailable(got: &Response) {
    era_refused(got, 503, TEMPORARILY_UNAVAILABLE);
    assert_eq!(got.header("retry-after"), Some("5"));
}

/// Asserts that a rate limit is exceeded; returns the seconds to wait.
#[track_caller]
pub fn too_many_requests(got: &Response) -> u64 {
    era_refused(got, 429, "too many requests, try again later");
    let wait = got.header("retry-after").expect("a Retry-After");
    wait.parse().expect("whole seconds")
}

/// Asserts the same, with at most `most` seconds to wait.
#[track_caller]
pub fn too_soon(got: &Response, most: u64) -> u64 {
    let wait = too_many_requests(got);
    assert!((1..=most).contains(&wait), "{wait}");
    wait
}

/// Asserts that a password is set, in the demo domain.
#[track_caller]
pub fn password_set(got: &Response, login: &str) {
    got.is(200, &password_set_body(DOMAIN, login));
}

/// The body of that response, in any domain.
pub fn password_set_body(domain: &str, login: &str) -> String {
    format!(
        r#"{{"error_code":0,"result":true,"result_msg":"Now login with new password","user":{{"domain":"{domain}","login":"{login}"}}}}"#
    )
}
