//! GitLab's dialect: bare objects; errors as `{"message":"404 … Not Found"}` or `{"error":…}`
//! (docs/contract.md, Support PIN).

use derive_more::From;
use serde::Serialize;
use utoipa::{ToSchema, openapi::Object};

use crate::http::{
    call::Call,
    rejection::Rejection,
    reply::{Answer, Dialect, Reply},
    schema::one_of,
};
use crate::{
    domain::{
        auth::{
            access::Refusal,
            scope::{Needed, Scope},
        },
        crypto::{
            encryption,
            secret::{NoEntropy, Secret},
        },
        support_pin::{Holder, Owner},
        time::Timestamp,
    },
    fault::{Fault, TRY_AGAIN_AFTER},
    observe::{Family, Outcome},
};

/// The authorization for a route that only reads.
pub const READ: Needed = Needed {
    any_of: &[Scope::Api, Scope::ReadUser, Scope::ReadApi],
    named: &[Scope::Api, Scope::ReadUser],
};

/// The authorization for a route that writes.
pub const WRITE: Needed = Needed {
    any_of: &[Scope::Api],
    named: &[Scope::Api],
};

const INVALID_TOKEN: &str = "invalid_token";
const INSUFFICIENT_SCOPE: &str = "insufficient_scope";

/// The token that a call presents: `PRIVATE-TOKEN`, or `Authorization: Bearer`.
///
/// # Errors
/// A token in the query is refused.
pub fn token(call: &Call) -> Result<Option<&str>, Error> {
    if call.query_names(&["private_token", "access_token", "job_token"]) {
        return Err(Refusal::NoToken.into());
    }
    Ok(call.header("private-token").filter(|token| !token.is_empty()).or_else(|| call.bearer()))
}

/// The caller, not impersonating another user. GitLab lets administrators act as another user by a header or parameter
/// `sudo`; this service refuses it, because ignoring it would act on the wrong user. Authentication errors are returned
/// first.
///
/// # Errors
/// Why the caller is refused; [`Error::Sudo`].
pub fn in_own_name(call: &Call, admitted: Result<Holder, Refusal>) -> Result<Holder, Error> {
    let is_signed_in = match &admitted {
        Ok(_) | Err(Refusal::ScopeTooSmall(_) | Refusal::Blocked) => true,
        Err(Refusal::NoToken | Refusal::UnknownToken | Refusal::OtherKind | Refusal::Expired | Refusal::Revoked) => {
            false
        }
    };
    if is_signed_in && (call.has_header("sudo") || call.brings("sudo")) {
        return Err(Error::Sudo);
    }
    Ok(admitted?)
}

/// These routes have no parameters and no body; what is sent must at least be well-formed. Checked last, so that
/// unauthorized callers get only the authorization error.
///
/// # Errors
/// A malformed query; a body of a media type that GitLab does not read.
pub fn expect_nothing(call: &Call) -> Result<(), Error> {
    call.query()?;
    if !call.body()?.is_empty() {
        call.expect_media_type(&["application/json", "application/x-www-form-urlencoded"])?;
    }
    Ok(())
}

/// The user that the route names, for an administrator.
///
/// # Errors
/// [`Error::NotAdministrator`] before anything about the user is revealed; [`Error::NoUser`] when the caller
/// administers no such user.
pub fn administered(caller: &Holder) -> Result<&Owner, Error> {
    if !caller.is_admin {
        return Err(Error::NotAdministrator);
    }
    caller.named.as_ref().ok_or(Error::NoUser)
}

/// A support PIN, shown to its owner and to administrators.
#[derive(Debug, Serialize, ToSchema)]
pub struct SupportPin {
    /// Six ASCII digits, with leading zeros.
    #[schema(pattern = "^[0-9]{6}$", example = "042317")]
    pin: String,
    /// Expiry of the PIN: UTC, whole seconds.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    expires_at: String,
}

impl SupportPin {
    fn new(digits: &Secret, expires_at: Timestamp) -> Self {
        Self {
            pin: digits.expose().to_owned(),
            expires_at: expires_at.iso(),
        }
    }
}

/// 201: a new PIN.
#[must_use]
pub fn pin_created(digits: &Secret, expires_at: Timestamp) -> Answer {
    Answer::json(201, Outcome::PinCreated, &SupportPin::new(digits, expires_at))
}

/// 200: a PIN.
#[must_use]
pub fn pin_read(digits: &Secret, expires_at: Timestamp) -> Answer {
    Answer::json(200, Outcome::PinRead, &SupportPin::new(digits, expires_at))
}

/// An empty JSON object.
#[derive(Debug, Serialize, ToSchema)]
pub struct Empty {}

/// 202: a revoked PIN.
#[must_use]
pub fn pin_revoked() -> Answer {
    Answer::json(202, Outcome::PinRevoked, &Empty {})
}

/// An error in GitLab's first form.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    /// The status and its reason phrase.
    #[schema(example = "401 Unauthorized")]
    message: &'static str,
}

/// An error in GitLab's second form.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorText {
    /// The error message.
    #[schema(example = "Failed to create support PIN")]
    error: String,
}

fn token_errors() -> Object {
    one_of([INVALID_TOKEN, INSUFFICIENT_SCOPE])
}

/// An error of the token, in the form of RFC 6750.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenError {
    /// The error code, for programs.
    #[schema(schema_with = token_errors)]
    error: &'static str,
    /// The description, for users.
    error_description: &'static str,
    /// The scopes that would be sufficient.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// The message for a store failure, on routes that have their own.
#[derive(Clone, Copy, Debug)]
pub enum StoreFailed {
    /// Creating a PIN failed.
    Create,
    /// Showing a PIN to an administrator failed.
    Show,
    /// Revoking a PIN failed.
    Revoke,
}

/// The errors of this dialect.
#[derive(Debug, From)]
pub enum Error {
    /// The request is malformed or not authorized.
    #[from(Rejection, Refusal)]
    Rejected(Rejection),
    /// The caller tried to impersonate another user (`sudo`).
    Sudo,
    /// The caller is not an administrator.
    NotAdministrator,
    /// No such user.
    NoUser,
    /// There is no PIN, or it has expired.
    NoPin,
    /// There is no PIN to revoke.
    NoPinToRevoke,
    /// The store failed on a route with its own message for that.
    Store(StoreFailed, Fault),
    /// The disclosure could not be recorded in the audit log, so nothing is disclosed.
    NotRecorded(Fault),
    /// The random generator failed; the routes' messages for store failures do not apply.
    NoEntropy(Fault),
    /// Another internal error.
    #[from]
    Fault(Fault),
}

impl Error {
    /// Reports a fault with the route's own message.
    #[must_use]
    pub fn said_as(self, sentence: StoreFailed) -> Self {
        match self {
            Self::Fault(fault) => Self::Store(sentence, fault),
            other @ (Self::Rejected(_)
            | Self::Sudo
            | Self::NotAdministrator
            | Self::NoUser
            | Self::NoPin
            | Self::NoPinToRevoke
            | Self::NotRecorded(_)
            | Self::NoEntropy(_)
            | Self::Store(..)) => other,
        }
    }
}

impl From<NoEntropy> for Error {
    fn from(why: NoEntropy) -> Self {
        Self::NoEntropy(why.into())
    }
}

impl From<encryption::Unreadable> for Error {
    fn from(_: encryption::Unreadable) -> Self {
        Self::Fault(Fault::Corrupt("decrypt_fail: a support PIN's row does not open".into()))
    }
}

impl Dialect for Error {
    const FAMILY: Option<Family> = Some(Family::SupportPin);

    fn reply(self, _: &Call) -> Reply {
        let message = |status, outcome, message| Reply::json(status, outcome, &Message { message });
        let error = |status, outcome, error: &str| Reply::json(status, outcome, &ErrorText { error: error.into() });
        match self {
            Self::Rejected(rejection) => rejected(rejection),
            Self::Sudo => message(403, Outcome::Sudo, "403 Forbidden - Sudo is not supported"),
            Self::NotAdministrator => message(403, Outcome::NotAdministrator, "403 Forbidden"),
            Self::NoUser => message(404, Outcome::NoUser, "404 User Not Found"),
            Self::NoPin => message(404, Outcome::NoPin, "404 Support PIN not found or expired Not Found"),
            Self::NoPinToRevoke => {
                message(404, Outcome::NoPin, "404 Support PIN not found or already expired Not Found")
            }
            Self::Store(sentence, fault) => {
                let sentence = match sentence {
                    StoreFailed::Create => "Failed to create support PIN",
                    StoreFailed::Show => "Error retrieving Support PIN for user.",
                    StoreFailed::Revoke => "Error revoking Support PIN for user.",
                };
                error(422, Outcome::Fault, sentence).with_fault(fault)
            }
            Self::NotRecorded(fault) => message(503, Outcome::NotRecorded, "503 Service Unavailable")
                .with_header("retry-after", TRY_AGAIN_AFTER.to_string())
                .with_fault(fault),
            Self::NoEntropy(fault) | Self::Fault(fault) => Reply::of_fault(fault, |status| match status {
                503 => message(status, Outcome::Fault, "503 Service Unavailable"),
                _ => message(status, Outcome::Fault, "500 Internal Server Error"),
            }),
        }
    }
}

fn rejected(rejection: Rejection) -> Reply {
    let outcome = rejection.outcome();
    let message = |status, message| Reply::json(status, outcome, &Message { message });
    let error = |status, error| Reply::json(status, outcome, &ErrorText { error });
    let token = |status, error, error_description, scope: Option<String>| {
        let challenge = match &scope {
            Some(scope) => format!("Bearer error=\"{error}\", scope=\"{scope}\""),
            None => format!("Bearer error=\"{error}\""),
        };
        Reply::json(
            status,
            outcome,
            &TokenError {
                error,
                error_description,
                scope,
            },
        )
        .with_header("www-authenticate", challenge)
    };
    match rejection {
        Rejection::Malformed => message(400, "400 Bad request"),
        Rejection::TooLarge => message(413, "413 Request Entity Too Large"),
        Rejection::WrongMediaType(given) => {
            error(415, format!("The provided content-type '{given}' is not supported."))
        }
        Rejection::WrongEncoding(given) => {
            error(415, format!("The provided content-encoding '{given}' is not supported."))
                .with_header("accept-encoding", "identity")
        }
        Rejection::NoRoute => error(404, "404 Not Found".into()),
        Rejection::WrongMethod { allow } => error(405, "405 Not Allowed".into()).with_header("allow", allow),
        Rejection::Access(refusal) => match refusal {
            Refusal::NoToken | Refusal::UnknownToken | Refusal::OtherKind => {
                message(401, "401 Unauthorized").with_header("www-authenticate", "Bearer")
            }
            Refusal::Expired => token(
                401,
                INVALID_TOKEN,
                "Token is expired. You can either do re-authorization or token refresh.",
                None,
            ),
            Refusal::Revoked => {
                token(401, INVALID_TOKEN, "Token was revoked. You have to re-authorize from the user.", None)
            }
            Refusal::ScopeTooSmall(needed) => {
                let scopes: Vec<_> = needed.named.iter().map(|scope| scope.name()).collect();
                token(
                    403,
                    INSUFFICIENT_SCOPE,
                    "The request requires higher privileges than provided by the access token.",
                    Some(scopes.join(" ")),
                )
            }
            Refusal::Blocked => message(403, "403 Forbidden - Your account has been blocked."),
        },
    }
}
