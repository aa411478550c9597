//! What every answer of this dialect is wrapped in.

use serde::Serialize;
use utoipa::{ToSchema, openapi::Object};

use super::invalid::Invalid;
use crate::{
    http::{call::Call, reply::Reply, schema::one_of},
    observe::Outcome,
};

fn data_types() -> Object {
    one_of(["object", "list"])
}

/// What every answer begins with.
#[derive(Debug, Serialize, ToSchema)]
pub struct Meta {
    /// HTTP status.
    #[schema(example = 201)]
    code: u16,
    /// What was asked for.
    #[schema(example = "https://example.com/mithril/api/tokens")]
    url: String,
    /// What the data is.
    #[schema(schema_with = data_types)]
    r#type: &'static str,
    /// The id of this request, for the log and for people who ask.
    request_id: String,
}

impl Meta {
    /// What the answer to this call begins with.
    pub(super) fn new(call: &Call, code: u16, r#type: &'static str) -> Self {
        Self {
            code,
            url: format!("{}{}", call.origin, call.path),
            r#type,
            request_id: call.request_id.clone(),
        }
    }
}

/// An error.
#[derive(Debug, Serialize, ToSchema)]
pub struct MithrilError {
    meta: Meta,
    error: Problem,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// For programs.
    #[schema(example = "otp_invalid")]
    r#type: &'static str,
    /// For people.
    #[schema(example = "Invalid OTP code.")]
    message: String,
    /// Every value that was not taken, when that is what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    invalid: Option<Vec<Invalid>>,
}

/// A reply that says what went wrong; `outcome` is the word for the log.
pub(super) fn said(call: &Call, status: u16, outcome: Outcome, r#type: &'static str, message: &str) -> Reply {
    let error = Problem {
        r#type,
        message: message.to_owned(),
        invalid: None,
    };
    let meta = Meta::new(call, status, "object");
    Reply::json(status, outcome, &MithrilError { meta, error })
}

/// A reply that names every value that was not taken.
pub(super) fn invalid_values(call: &Call, invalid: Vec<Invalid>) -> Reply {
    let error = Problem {
        r#type: "validation_failed",
        message: "Validation failed.".to_owned(),
        invalid: Some(invalid),
    };
    let meta = Meta::new(call, 422, "object");
    Reply::json(422, Outcome::InvalidValues, &MithrilError { meta, error })
}
