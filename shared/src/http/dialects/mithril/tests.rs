//! Each error of the dialect, as a whole response.

use serde_json::{Value, json};

use super::*;
use crate::http::call::tests::call;

const BARE: &[(&str, &str)] = &[(CHALLENGE, "Bearer")];

const INVALID: &[(&str, &str)] = &[(CHALLENGE, BAD_TOKEN)];

fn check(error: impl Into<Error>, status: u16, r#type: &str, message: &str, headers: &[(&str, &str)]) {
    let reply = error.into().reply(&call(&json!({ "rawPath": "/mithril/api/tokens" })));
    let body: Value = serde_json::from_str(&reply.body).expect("JSON");
    let meta = json!({
        "code": status, "url": "https://d/mithril/api/tokens", "type": "object", "request_id": "r",
    });
    let error = json!({ "type": r#type, "message": message });
    assert_eq!(body, json!({ "meta": meta, "error": error }));
    let found: Vec<_> = reply.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!((reply.status, found.as_slice()), (status, headers), "{message}");
}

#[test]
fn every_rejection_has_its_message() {
    check(Rejection::Malformed, 400, "request_malformed", "Malformed request.", &[]);
    check(Rejection::TooLarge, 413, "request_too_large", "Request body is too large.", &[]);
    let given = Rejection::WrongMediaType("text/plain".into());
    check(given, 415, "content_type_invalid", "Invalid Content-Type header.", &[]);
    check(Rejection::NoRoute, 404, "not_found", "Page not found.", &[]);
    let wrong = Rejection::WrongMethod { allow: "POST".into() };
    check(wrong, 405, "method_not_allowed", "Method not allowed.", &[("allow", "POST")]);
    check(Refusal::NoToken, 401, "access_denied", "Authorization header required.", BARE);
    check(Refusal::UnknownToken, 401, "token_invalid", "Invalid token.", INVALID);
    check(Refusal::OtherKind, 401, "token_invalid_type", "Invalid token type", INVALID);
    check(Refusal::Revoked, 401, "token_expired", "Token expired.", INVALID);
    check(Refusal::Expired, 401, "token_expired", "Token expired.", INVALID);
    check(Refusal::Blocked, 401, "user_blocked", "User blocked.", BARE);
    let needed = Needed {
        any_of: &[Scope::Api],
        named: &[Scope::ReadUser, Scope::ReadApi],
    };
    let missing = "Your scope does not allow to access this resource. Missing allowances: read_user, read_api";
    let challenge = r#"Bearer error="insufficient_scope", scope="read_user read_api""#;
    check(Refusal::ScopeTooSmall(needed), 403, "forbidden", missing, &[(CHALLENGE, challenge)]);
}

#[test]
fn every_error_has_its_message() {
    use Error as E;
    let denied = |error, message| check(error, 401, "access_denied", message, BARE);
    denied(E::ClientUnknown, "Invalid client id.");
    denied(E::ClientNotAllowed, "Client is not allowed to issue login token.");
    denied(E::WrongSecret, "Invalid client secret.");
    denied(E::WrongIdentity, "Identity, password combination is wrong.");
    let allowed = vec![Scope::Api, Scope::Passcode];
    denied(E::ScopeNotAllowed(allowed), "Allowed scopes for the token are api, passcode.");
    denied(E::NoToken, "Authorization header required.");
    check(E::UserBlocked, 401, "user_blocked", "User blocked.", BARE);
    check(E::TokenInvalid, 401, "token_invalid", "Invalid token.", INVALID);
    check(E::TokenExpired, 401, "token_expired", "Token expired.", INVALID);
    check(LoginRefusal::Unknown, 401, "token_invalid", "Invalid token.", INVALID);
    check(LoginRefusal::Reused, 401, "token_expired", "Token expired.", INVALID);
    check(LoginRefusal::Blocked, 401, "user_blocked", "User blocked.", BARE);
    check(LoginRefusal::Expired, 401, "token_expired", "Token expired.", INVALID);
    check(LoginRefusal::OtherKind, 401, "token_invalid_type", "Invalid token type", INVALID);
    let wrong_type = |error, message| check(error, 401, "token_invalid_type", message, INVALID);
    wrong_type(E::WrongTokenType, "Invalid token type");
    wrong_type(E::NotInitiated, "Invalid token type. Init factor at first");
    check(E::Otp(Failure::Invalid), 401, "otp_invalid", "Invalid OTP code.", BARE);
    check(E::Otp(Failure::Expired), 401, "otp_expired", "OTP expired.", BARE);
    let most = "Reached max OTP verify attempts";
    check(E::Otp(Failure::ReachedMaxAttempts), 401, "otp_reached_max_attempts", most, BARE);
    check(E::Forbidden, 403, "forbidden", "Forbidden.", &[]);
    check(E::NotFound, 404, "not_found", "Not found.", &[]);
    let conflict = |error, message| check(error, 409, "request_conflict", message, &[]);
    conflict(E::NoFactor, "Not found authentication factor for user.");
    conflict(E::FactorNotSet, "Factor not set");
    conflict(E::No2faData, "Not found 2FA data for user");
    conflict(E::FactorExists, "authentication_factor with such type are exist");
    conflict(E::OwnerBlocked, "User blocked");
    conflict(E::AlreadyDisabled, "user authentication factor already disabled");
    conflict(E::AlreadyEnabled, "user authentication factor already enabled");
    conflict(E::UserAlreadyBlocked, "user already blocked");
    conflict(E::UserAlreadyUnblocked, "user already unblocked");
    let (words, soon) = ("The same request is being processed.", [("retry-after", "7")]);
    check(E::InProgress(InProgress { retry_after: 7 }), 409, "request_conflict", words, &soon);
    check(E::NoGrantType, 422, "request_malformed", "Request must include grant_type.", &[]);
    let too_soon = |error, message| check(error, 429, "otp_timeout", message, &[("retry-after", "7")]);
    let exhausted = RateLimited { retry_after: 7 };
    too_soon(E::SendTimeout(exhausted), "Sending OTP timeout. Try later.");
    too_soon(E::GuessTimeout(exhausted), "Too many OTP attempts. Try later.");
    let (words, wait) = ("Too many failed logins. Try later.", [("retry-after", "7")]);
    check(E::LoginTimeout(exhausted), 429, "login_timeout", words, &wait);
    let fault = || Fault::Bug("it broke".into());
    check(fault(), 500, "internal_error", "Internal server error.", &[]);
    let failed = E::SmsFailed(fault());
    check(failed, 503, "internal_error", "SMS not sent. Try later", &[("retry-after", "5")]);
}
