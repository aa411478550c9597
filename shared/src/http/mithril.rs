//! Mithril's dialect (contracts.md §4), as far as requests that no function takes need it.

use serde::Serialize;

use super::{
    call::Call,
    rejection::Rejection,
    reply::{Dialect, Reply},
};
use crate::fault::Fault;

#[derive(Debug, Serialize)]
struct Body<'a> {
    meta: Meta<'a>,
    error: Said,
}

#[derive(Debug, Serialize)]
struct Meta<'a> {
    code: u16,
    url: String,
    r#type: &'static str,
    request_id: &'a str,
}

#[derive(Debug, Serialize)]
struct Said {
    r#type: &'static str,
    message: &'static str,
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
    fn reply(self, call: &Call) -> Reply {
        let said = |status, outcome, r#type, message| {
            let url = format!("{}{}", call.origin, call.path);
            let meta = Meta {
                code: status,
                url,
                r#type: "object",
                request_id: &call.request_id,
            };
            Reply::json(
                status,
                outcome,
                &Body {
                    meta,
                    error: Said { r#type, message },
                },
            )
        };
        match self {
            Self::Rejected(rejection) => {
                let outcome = rejection.outcome();
                match rejection {
                    Rejection::Malformed => said(400, outcome, "request_malformed", "Malformed request."),
                    Rejection::TooLarge => said(413, outcome, "request_too_large", "Request body is too large."),
                    Rejection::WrongMediaType(_) => {
                        said(415, outcome, "content_type_invalid", "Invalid Content-Type header.")
                    }
                    Rejection::NoRoute => said(404, outcome, "not_found", "Page not found."),
                    Rejection::WrongMethod { allow } => {
                        said(405, outcome, "method_not_allowed", "Method not allowed.").with_header("allow", allow)
                    }
                    Rejection::Access(_) => {
                        let denied = said(401, outcome, "access_denied", "Invalid access token.");
                        denied.with_header("www-authenticate", "Bearer")
                    }
                }
            }
            Self::Fault(fault) => said(500, "fault", "internal_error", "Internal server error.").with_fault(fault),
        }
    }
}
