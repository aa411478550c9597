//! Mithril's dialect (docs/contract.md, Second factors and tokens). [`body`] reads the requests, [`invalid`] lists what
//! is wrong with them, [`form`] documents them; [`view`] are the responses, and [`envelope`] is what wraps every
//! response.

pub mod body;
pub mod envelope;
pub mod form;
pub mod invalid;
pub mod view;

use self::{
    envelope::{invalid_values, said},
    invalid::Invalid,
};
use crate::http::{
    call::Call,
    rejection::Rejection,
    reply::{Dialect, Reply},
};
use crate::{
    domain::{
        auth::{
            access::{AccessDenied, LoginRefusal, Refusal},
            scope::{Needed, Scope},
        },
        idempotency::InProgress,
        limits::rate_limit::RateLimited,
        otp::Failure,
    },
    fault::{Fault, TRY_AGAIN_AFTER},
    observe::{Family, Outcome},
    refusal::{NotReauthenticated, Undelivered, Unverified},
};
use derive_more::From;

/// The authorization to list and read a user's factors.
pub const FACTOR_READ: Needed = only(&[Scope::FactorRead]);

/// The authorization to create, disable and enable a factor.
pub const FACTOR_WRITE: Needed = only(&[Scope::FactorWrite]);

/// The authorization to reset a factor.
pub const FACTOR_RESET: Needed = only(&[Scope::FactorReset]);

/// The authorization to change one's own second factors and known devices.
pub const FACTOR_INIT: Needed = only(&[Scope::AppAuthorize, Scope::FactorWrite]);

/// The authorization to list known devices.
pub const DEVICE_READ: Needed = only(&[Scope::AppAuthorize, Scope::FactorRead]);

/// The authorization to end known devices.
pub const DEVICE_WRITE: Needed = only(&[Scope::AppAuthorize, Scope::FactorWrite]);

/// The authorization to create a user.
pub const USER_WRITE: Needed = only(&[Scope::UserWrite]);

/// The authorization to create an administrator, besides [`USER_WRITE`], for callers who are not administrators.
pub const USER_ADMIN: Needed = only(&[Scope::UserAdmin]);

/// The authorization to block a user.
pub const USER_BLOCK: Needed = only(&[Scope::UserBlock]);

/// The authorization to unblock a user.
pub const USER_UNBLOCK: Needed = only(&[Scope::UserUnblock]);

const fn only(any_of: &'static [Scope]) -> Needed {
    Needed { any_of, named: any_of }
}

const CHALLENGE: &str = "www-authenticate";

/// The errors of this dialect.
#[derive(Debug, From)]
pub enum Error {
    /// The request is malformed or not authorized.
    #[from(Rejection, Refusal)]
    Rejected(Rejection),
    /// All invalid fields or parameters.
    Invalid(Vec<Invalid>),
    /// `grant_type` is missing or unknown.
    NoGrantType,
    /// No such client.
    ClientUnknown,
    /// The client may not get tokens of users.
    ClientNotAllowed,
    /// The client's secret is wrong.
    WrongSecret,
    /// No user has this address and this password.
    WrongIdentity,
    /// The user is blocked; reported to the user's own token or login only.
    UserBlocked,
    /// The requested scope is not one of these, which the client may have.
    ScopeNotAllowed(Vec<Scope>),
    /// The second-factor token is missing.
    NoToken,
    /// The second-factor token is unknown.
    TokenInvalid,
    /// The second-factor token has expired, was replaced or was revoked with all of its owner's.
    TokenExpired,
    /// The token has the wrong type for this route.
    WrongTokenType,
    /// No factor waits for approval with this token.
    NotInitiated,
    /// The user has no active factor.
    NoFactor,
    /// The user's factor has no value yet.
    FactorNotSet,
    /// The user has no active factor with a value, which a new code requires.
    No2faData,
    /// The code is refused.
    Otp(Failure),
    /// Rate limited: too many codes sent.
    SendTimeout(RateLimited),
    /// Rate limited: too many codes tried.
    GuessTimeout(RateLimited),
    /// Rate limited: too many failed logins from the caller's network.
    LoginTimeout(RateLimited),
    /// The text message could not be sent; nothing remains that would block a retry.
    SmsFailed(Fault),
    /// The user already has a factor of this type.
    FactorExists,
    /// The user that the route names is blocked.
    OwnerBlocked,
    /// The factor is already disabled.
    AlreadyDisabled,
    /// The factor is already enabled.
    AlreadyEnabled,
    /// The user is already blocked.
    UserAlreadyBlocked,
    /// The user is not blocked.
    UserAlreadyUnblocked,
    /// A call with the same `Idempotency-Key` is in progress.
    #[from]
    InProgress(InProgress),
    /// The resource does not exist, or the caller may not see it.
    NotFound,
    /// The token belongs to another user.
    Forbidden,
    /// An internal error.
    #[from]
    Fault(Fault),
}

impl From<Undelivered> for Error {
    fn from(why: Undelivered) -> Self {
        match why {
            Undelivered::RateLimited(exhausted) | Undelivered::OverMoney(exhausted) => Self::SendTimeout(exhausted),
            Undelivered::Failed(fault) => Self::SmsFailed(fault),
            Undelivered::NotAPhone => Invalid::impossible_phone("factor").into(),
            Undelivered::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl From<Unverified> for Error {
    fn from(why: Unverified) -> Self {
        match why {
            Unverified::RateLimited(exhausted) => Self::GuessTimeout(exhausted),
            Unverified::Failed(failure) => Self::Otp(failure),
            Unverified::Malformed(length) => Invalid::no_code("otp", length).into(),
            Unverified::NoFactor => Self::NoFactor,
            Unverified::FactorNotSet => Self::FactorNotSet,
            Unverified::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl From<NotReauthenticated> for Error {
    fn from(why: NotReauthenticated) -> Self {
        match why {
            NotReauthenticated::RateLimited(exhausted) => Self::LoginTimeout(exhausted),
            NotReauthenticated::WrongPassword => Self::WrongIdentity,
            NotReauthenticated::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl From<AccessDenied> for Error {
    fn from(refusal: AccessDenied) -> Self {
        match refusal {
            AccessDenied::Forbidden => Self::Forbidden,
            AccessDenied::Unknown => Self::NotFound,
        }
    }
}

impl From<LoginRefusal> for Error {
    fn from(refusal: LoginRefusal) -> Self {
        match refusal {
            LoginRefusal::Unknown => Self::TokenInvalid,
            LoginRefusal::Blocked => Self::UserBlocked,
            LoginRefusal::OtherKind => Self::WrongTokenType,
            LoginRefusal::Reused | LoginRefusal::Expired => Self::TokenExpired,
        }
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(vec![invalid])
    }
}

impl Dialect for Error {
    const FAMILY: Option<Family> = Some(Family::SecondFactor);

    fn reply(self, call: &Call) -> Reply {
        let said = |status, outcome, r#type, message: &str| said(call, status, outcome, r#type, message);
        let denied = |outcome, message| said(401, outcome, "access_denied", message).with_header(CHALLENGE, "Bearer");
        let conflict = |outcome, message| said(409, outcome, "request_conflict", message);
        let wrong_code =
            |outcome: Outcome, message| said(401, outcome, outcome.as_str(), message).with_header(CHALLENGE, "Bearer");
        let too_soon = |outcome, kind, message, RateLimited { retry_after }| {
            said(429, outcome, kind, message).with_header("retry-after", retry_after.to_string())
        };
        match self {
            Self::Rejected(rejection) => rejected(rejection, call),
            Self::Invalid(invalid) => invalid_values(call, invalid),
            Self::NoGrantType => {
                said(422, Outcome::NoGrantType, "request_malformed", "Request must include grant_type.")
            }
            Self::ClientUnknown => denied(Outcome::UnknownClient, "Invalid client id."),
            Self::ClientNotAllowed => denied(Outcome::ClientNotAllowed, "Client is not allowed to issue login token."),
            Self::WrongSecret => denied(Outcome::WrongSecret, "Invalid client secret."),
            Self::WrongIdentity => denied(Outcome::WrongIdentity, "Identity, password combination is wrong."),
            Self::UserBlocked => rejected(Refusal::Blocked.into(), call),
            Self::ScopeNotAllowed(allowed) => {
                let names = named(&allowed, ", ");
                denied(Outcome::ScopeNotAllowed, &format!("Allowed scopes for the token are {names}."))
            }
            Self::NoToken => rejected(Refusal::NoToken.into(), call),
            Self::TokenInvalid => rejected(Refusal::UnknownToken.into(), call),
            Self::TokenExpired => rejected(Refusal::Expired.into(), call),
            Self::WrongTokenType => rejected(Refusal::OtherKind.into(), call),
            Self::NotInitiated => {
                said(401, Outcome::FactorNotInitiated, "token_invalid_type", "Invalid token type. Init factor at first")
                    .with_header(CHALLENGE, BAD_TOKEN)
            }
            Self::NoFactor => conflict(Outcome::NoFactor, "Not found authentication factor for user."),
            Self::FactorNotSet => conflict(Outcome::FactorNotSet, "Factor not set"),
            Self::No2faData => conflict(Outcome::No2faData, "Not found 2FA data for user"),
            Self::Otp(Failure::Invalid) => wrong_code(Outcome::OtpInvalid, "Invalid OTP code."),
            Self::Otp(Failure::Expired) => wrong_code(Outcome::OtpExpired, "OTP expired."),
            Self::Otp(Failure::ReachedMaxAttempts) => {
                wrong_code(Outcome::OtpReachedMaxAttempts, "Reached max OTP verify attempts")
            }
            Self::SendTimeout(exhausted) => {
                too_soon(Outcome::OtpSendsExhausted, "otp_timeout", "Sending OTP timeout. Try later.", exhausted)
            }
            Self::GuessTimeout(exhausted) => {
                too_soon(Outcome::OtpGuessesExhausted, "otp_timeout", "Too many OTP attempts. Try later.", exhausted)
            }
            Self::LoginTimeout(exhausted) => too_soon(
                Outcome::FailedLoginsExhausted,
                "login_timeout",
                "Too many failed logins. Try later.",
                exhausted,
            ),
            Self::SmsFailed(fault) => said(503, Outcome::SmsFailed, "internal_error", "SMS not sent. Try later")
                .with_header("retry-after", TRY_AGAIN_AFTER.to_string())
                .with_fault(fault),
            Self::FactorExists => conflict(Outcome::FactorExists, "authentication_factor with such type are exist"),
            Self::OwnerBlocked => conflict(Outcome::OwnerBlocked, "User blocked"),
            Self::AlreadyDisabled => conflict(Outcome::AlreadyDisabled, "user authentication factor already disabled"),
            Self::AlreadyEnabled => conflict(Outcome::AlreadyEnabled, "user authentication factor already enabled"),
            Self::UserAlreadyBlocked => conflict(Outcome::AlreadyBlocked, "user already blocked"),
            Self::UserAlreadyUnblocked => conflict(Outcome::AlreadyUnblocked, "user already unblocked"),
            Self::InProgress(InProgress { retry_after }) => {
                conflict(Outcome::InProgress, "The same request is being processed.")
                    .with_header("retry-after", retry_after.to_string())
            }
            Self::NotFound => said(404, Outcome::NotFound, "not_found", "Not found."),
            Self::Forbidden => said(403, Outcome::Forbidden, "forbidden", "Forbidden."),
            Self::Fault(fault) => Reply::of_fault(fault, |status| match status {
                503 => said(status, Outcome::Fault, "internal_error", "Service unavailable. Try later."),
                _ => said(status, Outcome::Fault, "internal_error", "Internal server error."),
            }),
        }
    }
}

const BAD_TOKEN: &str = r#"Bearer error="invalid_token""#;

fn rejected(rejection: Rejection, call: &Call) -> Reply {
    let outcome = rejection.outcome();
    let said = |status, r#type, message: &str| said(call, status, outcome, r#type, message);
    match rejection {
        Rejection::Malformed => said(400, "request_malformed", "Malformed request."),
        Rejection::TooLarge => said(413, "request_too_large", "Request body is too large."),
        Rejection::WrongMediaType(_) => said(415, "content_type_invalid", "Invalid Content-Type header."),
        Rejection::WrongEncoding(_) => said(415, "content_type_invalid", "Invalid Content-Encoding header.")
            .with_header("accept-encoding", "identity"),
        Rejection::NoRoute => said(404, "not_found", "Page not found."),
        Rejection::WrongMethod { allow } => {
            said(405, "method_not_allowed", "Method not allowed.").with_header("allow", allow)
        }
        Rejection::Access(Refusal::NoToken) => {
            said(401, "access_denied", "Authorization header required.").with_header(CHALLENGE, "Bearer")
        }
        Rejection::Access(Refusal::UnknownToken) => {
            said(401, "token_invalid", "Invalid token.").with_header(CHALLENGE, BAD_TOKEN)
        }
        Rejection::Access(Refusal::OtherKind) => {
            said(401, "token_invalid_type", "Invalid token type").with_header(CHALLENGE, BAD_TOKEN)
        }
        Rejection::Access(Refusal::Expired | Refusal::Revoked) => {
            said(401, "token_expired", "Token expired.").with_header(CHALLENGE, BAD_TOKEN)
        }
        Rejection::Access(Refusal::ScopeTooSmall(Needed { named: needed, .. })) => {
            let missing = format!(
                "Your scope does not allow to access this resource. Missing allowances: {}",
                named(needed, ", ")
            );
            let challenge = format!(r#"Bearer error="insufficient_scope", scope="{}""#, named(needed, " "));
            said(403, "forbidden", &missing).with_header(CHALLENGE, challenge)
        }
        Rejection::Access(Refusal::Blocked) => {
            said(401, "user_blocked", "User blocked.").with_header(CHALLENGE, "Bearer")
        }
    }
}

fn named(scopes: &[Scope], between: &str) -> String {
    let names: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
    names.join(between)
}

#[cfg(test)]
mod tests;
