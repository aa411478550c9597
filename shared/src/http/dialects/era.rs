//! Era's dialect (docs/contract.md, Registration and password reset). [`body`] reads the requests.

pub mod body;

use derive_more::From;
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{
        Object, ObjectBuilder,
        schema::{SchemaType, Type},
    },
};

use crate::http::{
    call::Call,
    rejection::Rejection,
    reply::{Answer, Dialect, JSON_UTF_8, Reply},
    schema::one_of,
    sentences,
};
use crate::{
    domain::{
        auth::{
            access::Refusal,
            scope::{Needed, Scope},
        },
        idempotency::InProgress,
        limits::rate_limit::RateLimited,
        password::{Alphabet, Weak},
        people::name::{DomainName, Login, Malformed},
    },
    fault::{Fault, TRY_AGAIN_AFTER},
    observe::{Family, Outcome},
    refusal::NotReauthenticated,
};

/// The authorization to change one's own password.
pub const CHANGE_PASSWORD: Needed = Needed {
    any_of: &[Scope::Api],
    named: &[Scope::Api],
};

const CHECK_YOUR_MAIL: &str = "Check your email box for confirmation URL";
const NOW_LOGIN: &str = "Now login with new password";

fn no_error() -> Object {
    let number = SchemaType::Type(Type::Integer);
    ObjectBuilder::new().schema_type(number).enum_values(Some([0])).build()
}

fn success() -> Object {
    let flag = SchemaType::Type(Type::Boolean);
    ObjectBuilder::new().schema_type(flag).enum_values(Some([true])).build()
}

fn check_your_mail() -> Object {
    one_of([CHECK_YOUR_MAIL])
}

fn now_login() -> Object {
    one_of([NOW_LOGIN])
}

/// The request succeeded.
#[derive(Debug, Serialize, ToSchema)]
pub struct EraDone {
    #[schema(schema_with = no_error)]
    error_code: u16,
    #[schema(schema_with = success)]
    result: bool,
    #[schema(schema_with = check_your_mail)]
    result_msg: &'static str,
}

/// The password is set.
#[derive(Debug, Serialize, ToSchema)]
pub struct PasswordSet {
    #[schema(schema_with = no_error)]
    error_code: u16,
    #[schema(schema_with = success)]
    result: bool,
    #[schema(schema_with = now_login)]
    result_msg: &'static str,
    user: Account,
}

/// The account of the password.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    #[schema(example = "pbx.era-platform.ru")]
    domain: String,
    #[schema(example = "my_login")]
    login: String,
}

/// The request failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct EraError {
    #[schema(example = 1501)]
    error_code: u16,
    #[schema(example = "login already exists")]
    error_message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<Details>,
}

/// The field of the error.
#[derive(Debug, Serialize, ToSchema)]
pub struct Details {
    #[schema(example = "login")]
    field: String,
}

/// Asks the caller to check the mailbox. The same for known and unknown users, whether or not a mail was sent.
#[must_use]
pub fn check_mail(outcome: Outcome) -> Answer {
    Answer::json(
        200,
        outcome,
        &EraDone {
            error_code: 0,
            result: true,
            result_msg: CHECK_YOUR_MAIL,
        },
    )
}

/// The password is set.
#[must_use]
pub fn password_set(outcome: Outcome, domain: &DomainName, login: &Login) -> Answer {
    Answer::json(
        200,
        outcome,
        &PasswordSet {
            error_code: 0,
            result: true,
            result_msg: NOW_LOGIN,
            user: Account {
                domain: domain.as_str().to_owned(),
                login: login.as_str().to_owned(),
            },
        },
    )
}

/// The errors of this dialect.
#[derive(Debug, From)]
pub enum Error {
    /// The request is malformed or not authorized.
    #[from(Rejection, Refusal)]
    Rejected(Rejection),
    /// A field is absent, `null` or empty.
    Missing(&'static str),
    /// A field is not a string.
    NoText(&'static str),
    /// An unknown field.
    Unexpected(String),
    /// The domain is unknown, or its registration is closed.
    RegistrationClosed,
    /// A field's text is invalid for its kind.
    Malformed(&'static str, Malformed),
    /// The login or the mail address is taken.
    Taken(&'static str),
    /// The domain's policy rejects the password.
    Weak {
        /// The field.
        field: &'static str,
        /// The rule that it breaks.
        weak: Weak,
        /// The permitted symbols, if limited.
        alphabet: Option<Alphabet>,
    },
    /// The current password is wrong.
    WrongPassword,
    /// The link was used, has expired or never existed.
    NoRequest,
    /// Rate limited.
    #[from]
    RateLimited(RateLimited),
    /// A call with the same `Idempotency-Key` is in progress.
    #[from]
    InProgress(InProgress),
    /// The mail cannot be sent; nothing remains that would block a retry.
    MailFailed(Fault),
    /// An internal error.
    #[from]
    Fault(Fault),
}

impl From<NotReauthenticated> for Error {
    fn from(why: NotReauthenticated) -> Self {
        match why {
            NotReauthenticated::RateLimited(exhausted) => exhausted.into(),
            NotReauthenticated::WrongPassword => Self::WrongPassword,
            NotReauthenticated::Fault(fault) => fault.into(),
        }
    }
}

impl Dialect for Error {
    const FAMILY: Option<Family> = Some(Family::Registration);
    const MEDIA_TYPE: &'static str = JSON_UTF_8;

    fn reply(self, _: &Call) -> Reply {
        match self {
            Self::Rejected(rejection) => rejected(rejection),
            Self::Missing(field) => bad_value(Outcome::MissingField, field, format!("{field} is required")),
            Self::NoText(field) => bad_value(Outcome::MalformedField, field, format!("{field} must be a string")),
            Self::Unexpected(field) => bad_value(Outcome::UnexpectedField, &field, format!("{field} is not expected")),
            Self::RegistrationClosed => {
                bad_value(Outcome::RegistrationClosed, "domain", "domain does not allow self-registration".into())
            }
            Self::Malformed(field, malformed) => {
                bad_value(Outcome::MalformedField, field, format!("{field} {}", sentences::malformed(malformed)))
            }
            Self::Taken(field) => bad_value(Outcome::Taken, field, format!("{field} already exists")),
            Self::Weak { field, weak, alphabet } => {
                let words = sentences::weak(weak, alphabet.as_ref());
                bad_value(Outcome::WeakPassword, field, format!("{field} {words}"))
            }
            Self::WrongPassword => bad_value(Outcome::WrongPassword, "current_pwd", "current_pwd is wrong".into()),
            Self::NoRequest => said(404, Outcome::NoRequest, "request not found or expired"),
            Self::RateLimited(RateLimited { retry_after }) => {
                said(429, Outcome::Throttled, "too many requests, try again later")
                    .with_header("retry-after", retry_after.to_string())
            }
            Self::InProgress(InProgress { retry_after }) => {
                said(409, Outcome::InProgress, "the same request is being processed")
                    .with_header("retry-after", retry_after.to_string())
            }
            Self::MailFailed(fault) => said(503, Outcome::MailFailed, "mail cannot be sent, try again later")
                .with_header("retry-after", TRY_AGAIN_AFTER.to_string())
                .with_fault(fault),
            Self::Fault(fault) => Reply::of_fault(fault, |status| match status {
                503 => said(status, Outcome::Fault, "temporarily unavailable, try again later"),
                _ => said(status, Outcome::Fault, "internal error"),
            }),
        }
    }
}

fn rejected(rejection: Rejection) -> Reply {
    let outcome = rejection.outcome();
    match rejection {
        Rejection::Malformed => said(400, outcome, "malformed request"),
        Rejection::TooLarge => said(413, outcome, "request body too large"),
        Rejection::WrongMediaType(_) => said(415, outcome, "unsupported media type"),
        Rejection::WrongEncoding(_) => {
            said(415, outcome, "unsupported content encoding").with_header("accept-encoding", "identity")
        }
        Rejection::NoRoute => said(404, outcome, "not found"),
        Rejection::WrongMethod { allow } => said(405, outcome, "method not allowed").with_header("allow", allow),
        Rejection::Access(Refusal::NoToken) => {
            said(401, outcome, "unauthorized").with_header("www-authenticate", "Bearer")
        }
        Rejection::Access(Refusal::UnknownToken | Refusal::OtherKind | Refusal::Expired | Refusal::Revoked) => {
            said(401, outcome, "unauthorized").with_header("www-authenticate", r#"Bearer error="invalid_token""#)
        }
        Rejection::Access(Refusal::ScopeTooSmall(_)) => {
            said(403, outcome, "forbidden").with_header("www-authenticate", r#"Bearer error="insufficient_scope""#)
        }
        Rejection::Access(Refusal::Blocked) => said(403, outcome, "your account has been blocked"),
    }
}

/// The codes are 1000 and the HTTP status, except those of invalid values, which the original publishes.
fn said(status: u16, outcome: Outcome, message: &str) -> Reply {
    Reply::json(
        status,
        outcome,
        &EraError {
            error_code: 1000 + status,
            error_message: message.to_owned(),
            error_details: None,
        },
    )
}

fn bad_value(outcome: Outcome, field: &str, error_message: String) -> Reply {
    Reply::json(
        412,
        outcome,
        &EraError {
            error_code: 1501,
            error_message,
            error_details: Some(Details {
                field: field.to_owned(),
            }),
        },
    )
}
