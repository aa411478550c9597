//! Answers of the Era dialect, compared whole.

use crate::support::{people::DOMAIN, requests::Response, words::TEMPORARILY_UNAVAILABLE};

/// What both routes answer whatever becomes of the mail.
pub const CHECK_MAIL: &str =
    r#"{"error_code":0,"result":true,"result_msg":"Check your email box for confirmation URL"}"#;

/// The dialect's refusal of a value.
pub fn field_refused(got: &Response, field: &str, message: &str) {
    let body = format!(r#"{{"error_code":1501,"error_message":"{message}","error_details":{{"field":"{field}"}}}}"#);
    assert_eq!((got.status, got.body.as_str()), (412, body.as_str()));
}

/// The dialect's other refusals.
pub fn era_refused(got: &Response, status: u16, message: &str) {
    let body = format!(r#"{{"error_code":{},"error_message":"{message}"}}"#, 1000 + status);
    assert_eq!((got.status, got.body.as_str()), (status, body.as_str()));
}

/// The dialect's word for a store that failed.
#[track_caller]
pub fn era_unavailable(got: &Response) {
    era_refused(got, 503, TEMPORARILY_UNAVAILABLE);
    assert_eq!(got.header("retry-after"), Some("5"));
}

/// The refusal of whoever spends too much, and for how many seconds.
#[track_caller]
pub fn too_many_requests(got: &Response) -> u64 {
    era_refused(got, 429, "too many requests, try again later");
    let wait = got.header("retry-after").expect("a Retry-After");
    wait.parse().expect("whole seconds")
}

/// After how many seconds a refused call may come again.
#[track_caller]
pub fn too_soon(got: &Response, most: u64) -> u64 {
    let wait = too_many_requests(got);
    assert!((1..=most).contains(&wait), "{wait}");
    wait
}

/// The answer to a password that was set.
#[track_caller]
pub fn password_set(got: &Response, login: &str) {
    got.is(200, &password_set_body(DOMAIN, login));
}

/// That body, in any domain.
pub fn password_set_body(domain: &str, login: &str) -> String {
    format!(
        r#"{{"error_code":0,"result":true,"result_msg":"Now login with new password","user":{{"domain":"{domain}","login":"{login}"}}}}"#
    )
}
