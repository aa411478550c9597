//! Responses outside the four families: `{"message":…}`, as API Gateway itself sends.

use derive_more::From;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{
    call::Call,
    rejection::Rejection,
    reply::{Answer, Dialect, Reply},
};
use crate::{
    fault::Fault,
    observe::{Family, Outcome},
};

/// An error outside the families.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlainMessage)]
pub struct Message {
    /// The reason phrase of the status.
    #[schema(example = "Not Found")]
    message: &'static str,
}

/// 200: the OpenAPI document.
#[must_use]
pub fn described(document: &impl Serialize) -> Answer {
    Answer::json(200, Outcome::Described, document)
}

/// The errors of this dialect.
#[derive(Debug, From)]
pub enum Error {
    /// The request is malformed or not authorized.
    #[from]
    Rejected(Rejection),
    /// An internal error.
    #[from]
    Fault(Fault),
}

impl Dialect for Error {
    const FAMILY: Option<Family> = None;

    fn reply(self, _: &Call) -> Reply {
        let said = |status, outcome, message| Reply::json(status, outcome, &Message { message });
        match self {
            Self::Rejected(rejection) => {
                let outcome = rejection.outcome();
                match rejection {
                    Rejection::Malformed => said(400, outcome, "Bad Request"),
                    Rejection::TooLarge => said(413, outcome, "Request Too Long"),
                    Rejection::WrongMediaType(_) => said(415, outcome, "Unsupported Media Type"),
                    Rejection::WrongEncoding(_) => {
                        said(415, outcome, "Unsupported Media Type").with_header("accept-encoding", "identity")
                    }
                    Rejection::NoRoute => said(404, outcome, "Not Found"),
                    Rejection::WrongMethod { allow } => {
                        said(405, outcome, "Method Not Allowed").with_header("allow", allow)
                    }
                    Rejection::Access(_) => {
                        said(401, outcome, "Unauthorized").with_header("www-authenticate", "Bearer")
                    }
                }
            }
            Self::Fault(fault) => Reply::of_fault(fault, |status| match status {
                503 => said(status, Outcome::Fault, "Service Unavailable"),
                _ => said(status, Outcome::Fault, "Internal Server Error"),
            }),
        }
    }
}
