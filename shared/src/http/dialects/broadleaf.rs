//! Broadleaf's dialect: bare objects; errors in Spring's default JSON (docs/contract.md, Passcodes).

use derive_more::From;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::http::{
    call::{Call, Parameters},
    rejection::Rejection,
    reply::{Answer, Dialect, Reply},
};
use crate::{
    domain::{
        auth::{
            access::Refusal,
            scope::{Needed, Scope},
        },
        crypto::secret::Secret,
        limits::rate_limit::RateLimited,
        passcode::{Label, PasscodeId},
        people::id::ClientId,
        time::Timestamp,
    },
    fault::Fault,
    observe::{Family, Outcome},
};

/// The authorization that every passcode route needs.
pub const PASSCODE: Needed = Needed {
    any_of: &[Scope::Passcode],
    named: &[Scope::Passcode],
};

/// The query parameter of every passcode route.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ClientQuery {
    /// The client in whose name the caller acts: the token's client.
    #[param(value_type = String, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "heatclinic")]
    pub client_id: ClientId,
}

impl ClientQuery {
    /// The client that a query names, before the caller is authenticated.
    #[must_use]
    pub fn named(call: &Call) -> Option<ClientId> {
        ClientId::parse(call.query().ok()?.get("client_id")?.expose())
    }

    /// Reads the query of a call in this client's name. `elsewhere` belongs in the body, because URLs are logged.
    ///
    /// # Errors
    /// [`Error::OtherClient`] when `client_id` is not the token's client; a malformed request when it is missing, or
    /// when a token or one of `elsewhere` is in the query.
    pub fn read(call: &Call, client: ClientId, elsewhere: &[&str]) -> Result<Self, Error> {
        let query = call.query()?;
        query.refuse_any(&["access_token"])?;
        query.refuse_any(elsewhere)?;
        match query.required("client_id")?.expose() == client.as_str() {
            true => Ok(Self { client_id: client }),
            false => Err(Error::OtherClient),
        }
    }
}

/// The query that requests a passcode.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RetrieveQuery {
    /// The purpose of the passcode: consuming it requires exactly this text.
    #[param(value_type = String, min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1F\x7F-\x9F]+$", example = "TEST_PURPOSE")]
    pub purpose: Label,
    /// The user of the passcode.
    #[param(value_type = String, min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1F\x7F-\x9F]+$", example = "test@test.com")]
    pub username: Label,
}

impl RetrieveQuery {
    /// Reads the query.
    ///
    /// # Errors
    /// A malformed request when a label is missing, empty, longer than 256 bytes or has a control character.
    pub fn read(call: &Call) -> Result<Self, Error> {
        let query = call.query()?;
        Ok(Self {
            purpose: label(&query, "purpose")?,
            username: label(&query, "username")?,
        })
    }
}

/// The form that consumes a passcode.
#[derive(Debug, ToSchema)]
pub struct ConsumeForm {
    /// The passcode.
    #[schema(value_type = String, format = Password, min_length = 1, example = "FCobPMiwtlHtr67TM6izFOL506L6T4k5")]
    pub passcode: Secret,
    /// The purpose that it was created for.
    #[schema(value_type = String, min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1F\x7F-\x9F]+$", example = "TEST_PURPOSE")]
    pub purpose: Label,
    /// The user that it was created for.
    #[schema(value_type = String, min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1F\x7F-\x9F]+$", example = "test@test.com")]
    pub username: Label,
}

impl ConsumeForm {
    /// The names of the fields.
    pub const FIELDS: &[&str] = &["passcode", "purpose", "username"];

    /// Reads the form.
    ///
    /// # Errors
    /// As [`RetrieveQuery::read`], or when the body is not a form.
    pub fn read(call: &Call) -> Result<Self, Error> {
        let form = call.form()?;
        Ok(Self {
            passcode: form.required("passcode")?.clone(),
            purpose: label(&form, "purpose")?,
            username: label(&form, "username")?,
        })
    }
}

fn label(fields: &Parameters, name: &str) -> Result<Label, Error> {
    Ok(Label::parse(fields.required(name)?.expose().to_owned()).ok_or(Rejection::Malformed)?)
}

/// The query that asks for a passcode's status.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StatusQuery {
    /// The passcode's id.
    #[param(value_type = String, min_length = 1, example = "01FM98Y1WCT0KT0AT56TMJ1973")]
    pub passcode_id: PasscodeId,
}

impl StatusQuery {
    /// Reads the query.
    ///
    /// # Errors
    /// A malformed request when the id is missing; [`Error::NoPasscode`] for an id that was never issued.
    pub fn read(call: &Call) -> Result<Self, Error> {
        Ok(Self {
            passcode_id: passcode_id(&call.query()?)?,
        })
    }
}

/// The form that invalidates a passcode.
#[derive(Debug, ToSchema)]
pub struct InvalidateForm {
    /// The passcode's id.
    #[schema(value_type = String, min_length = 1, example = "01FM98Y1WCT0KT0AT56TMJ1973")]
    pub passcode_id: PasscodeId,
}

impl InvalidateForm {
    /// The names of the fields.
    pub const FIELDS: &[&str] = &["passcode_id"];

    /// Reads the form.
    ///
    /// # Errors
    /// As [`StatusQuery::read`], or when the body is not a form.
    pub fn read(call: &Call) -> Result<Self, Error> {
        Ok(Self {
            passcode_id: passcode_id(&call.form()?)?,
        })
    }
}

fn passcode_id(fields: &Parameters) -> Result<PasscodeId, Error> {
    PasscodeId::parse(fields.required("passcode_id")?.expose()).ok_or(Error::NoPasscode)
}

/// A new passcode.
#[derive(Debug, Serialize, ToSchema)]
pub struct Retrieved {
    /// Id for status and invalidation; not a secret.
    #[schema(pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$", example = "01FM98Y1WCT0KT0AT56TMJ1973")]
    id: String,
    /// The passcode itself, for the user.
    #[schema(example = "FCobPMiwtlHtr67TM6izFOL506L6T4k5")]
    token: String,
}

/// 200: a new passcode. It is returned only here.
#[must_use]
pub fn issued(id: &PasscodeId, passcode: &Secret) -> Answer {
    let body = Retrieved {
        id: id.as_str().to_owned(),
        token: passcode.expose().to_owned(),
    };
    Answer::json(200, Outcome::PasscodeIssued, &body)
}

/// A consumed passcode.
#[derive(Debug, Serialize, ToSchema)]
pub struct Consumed {
    /// The passcode's id.
    #[schema(pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$", example = "01FM98Y1WCT0KT0AT56TMJ1973")]
    id: String,
}

/// 200: a consumed passcode.
#[must_use]
pub fn consumed(id: &PasscodeId) -> Answer {
    let id = id.as_str().to_owned();
    Answer::json(200, Outcome::PasscodeConsumed, &Consumed { id })
}

/// Whether a passcode could be consumed now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    /// The passcode's id.
    #[schema(pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$", example = "01FM98Y1WCT0KT0AT56TMJ1973")]
    id: String,
    /// `true` while it is neither consumed nor expired.
    valid: bool,
}

/// 200: whether a passcode could be consumed now.
#[must_use]
pub fn status_read(id: &PasscodeId, valid: bool) -> Answer {
    let id = id.as_str().to_owned();
    Answer::json(200, Outcome::PasscodeStatusRead, &Status { id, valid })
}

/// 200: a passcode that can no longer be consumed.
#[must_use]
pub fn invalidated(id: &PasscodeId) -> Answer {
    let id = id.as_str().to_owned();
    Answer::json(200, Outcome::PasscodeInvalidated, &Status { id, valid: false })
}

/// Spring's default error.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpringError {
    /// Time of the error: UTC, whole seconds.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    timestamp: String,
    /// HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// The reason phrase of the status.
    #[schema(example = "Bad Request")]
    error: &'static str,
    /// The path of the request.
    #[schema(example = "/passcode/consume")]
    path: String,
}

/// The errors of this dialect.
#[derive(Debug, From)]
pub enum Error {
    /// The request is malformed or not authorized.
    #[from(Rejection, Refusal)]
    Rejected(Rejection),
    /// `client_id` is not the token's client.
    OtherClient,
    /// The passcode is wrong, consumed, expired or bound to something else. All get the same response.
    Refused,
    /// No such passcode of this client.
    NoPasscode,
    /// Rate limited: too many guesses at short passcodes, or too many of them created.
    RateLimited(RateLimited),
    /// An internal error.
    #[from]
    Fault(Fault),
}

impl Dialect for Error {
    const FAMILY: Option<Family> = Some(Family::Passcode);

    fn reply(self, call: &Call) -> Reply {
        let said = |status, outcome| spring(call, status, outcome);
        match self {
            Self::Rejected(rejection) => rejected(rejection, call),
            Self::OtherClient => said(403, Outcome::OtherClient).with_header("www-authenticate", TOO_SMALL),
            Self::Refused => said(400, Outcome::Refused),
            Self::NoPasscode => said(404, Outcome::NoPasscode),
            Self::RateLimited(RateLimited { retry_after }) => {
                said(429, Outcome::BudgetExhausted).with_header("retry-after", retry_after.to_string())
            }
            Self::Fault(fault) => Reply::of_fault(fault, |status| said(status, Outcome::Fault)),
        }
    }
}

const TOO_SMALL: &str = "Bearer error=\"insufficient_scope\"";

fn rejected(rejection: Rejection, call: &Call) -> Reply {
    let outcome = rejection.outcome();
    let said = |status| spring(call, status, outcome);
    match rejection {
        Rejection::Malformed => said(400),
        Rejection::TooLarge => said(413),
        Rejection::WrongMediaType(_) => said(415),
        Rejection::WrongEncoding(_) => said(415).with_header("accept-encoding", "identity"),
        Rejection::NoRoute => said(404),
        Rejection::WrongMethod { allow } => said(405).with_header("allow", allow),
        Rejection::Access(refusal) => match refusal {
            Refusal::ScopeTooSmall(_) => said(403).with_header("www-authenticate", TOO_SMALL),
            Refusal::NoToken
            | Refusal::UnknownToken
            | Refusal::OtherKind
            | Refusal::Expired
            | Refusal::Revoked
            | Refusal::Blocked => said(401).with_header("www-authenticate", "Bearer error=\"invalid_token\""),
        },
    }
}

fn spring(call: &Call, status: u16, outcome: Outcome) -> Reply {
    let error = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    let timestamp: Timestamp = call.now;
    Reply::json(
        status,
        outcome,
        &SpringError {
            timestamp: timestamp.iso(),
            status,
            error,
            path: call.path.clone(),
        },
    )
}
