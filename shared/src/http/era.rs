//! Era's dialect (contracts.md §2), as far as requests that no function takes need it.

use serde::Serialize;

use super::{
    call::Call,
    rejection::Rejection,
    reply::{Dialect, Reply},
};
use crate::fault::Fault;

#[derive(Debug, Serialize)]
struct Body {
    error_code: u16,
    error_message: &'static str,
}

/// Whatever is not a success.
#[derive(Debug)]
pub enum Error {
    /// The request could not be read or admitted.
    Rejected(Rejection),
    /// Ours.
    Fault(Fault),
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Dialect for Error {
    fn reply(self, _: &Call) -> Reply {
        // The codes are 1000 and the HTTP status, but for the two that the original publishes.
        let said = |status, outcome, error_message| {
            Reply::json(
                status,
                outcome,
                &Body {
                    error_code: 1000 + status,
                    error_message,
                },
            )
        };
        match self {
            Self::Rejected(rejection) => {
                let outcome = rejection.outcome();
                match rejection {
                    Rejection::Malformed => said(400, outcome, "malformed request"),
                    Rejection::TooLarge => said(413, outcome, "request body too large"),
                    Rejection::WrongMediaType(_) => said(415, outcome, "unsupported media type"),
                    Rejection::NoRoute => said(404, outcome, "not found"),
                    Rejection::WrongMethod { allow } => {
                        said(405, outcome, "method not allowed").with_header("allow", allow)
                    }
                    Rejection::Access(_) => {
                        said(401, outcome, "unauthorized").with_header("www-authenticate", "Bearer")
                    }
                }
            }
            Self::Fault(fault) => said(500, "fault", "internal error").with_fault(fault),
        }
    }
}
