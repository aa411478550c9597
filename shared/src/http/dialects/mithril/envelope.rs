//! The envelope of every response of this dialect.

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

/// The metadata of every response.
#[derive(Debug, Serialize, ToSchema)]
pub struct Meta {
    /// HTTP status.
    #[schema(example = 201)]
    code: u16,
    /// The requested URL.
    #[schema(example = "https://example.com/mithril/api/tokens")]
    url: String,
    /// The type of the data.
    #[schema(schema_with = data_types)]
    r#type: &'static str,
    /// The id of this request, for the log and for support.
    request_id: String,
}

impl Meta {
    /// The metadata of the response to this call.
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

/// The error.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The error code, for programs.
    #[schema(example = "otp_invalid")]
    r#type: &'static str,
    /// The message, for users.
    #[schema(example = "Invalid OTP code.")]
    message: String,
    /// All invalid values, if that is the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    invalid: Option<Vec<Invalid>>,
}

/// An error response; `outcome` is the name in the log.
pub(super) fn said(call: &Call, status: u16, outcome: Outcome, r#type: &'static str, message: &str) -> Reply {
    let error = Problem {
        r#type,
        message: message.to_owned(),
        invalid: None,
    };
    let meta = Meta::new(call, status, "object");
    Reply::json(status, outcome, &MithrilError { meta, error })
}

/// A response that lists all invalid values.
pub(super) fn invalid_values(call: &Call, invalid: Vec<Invalid>) -> Reply {
    let error = Problem {
        r#type: "validation_failed",
        message: "Validation failed.".to_owned(),
        invalid: Some(invalid),
    };
    let meta = Meta::new(call, 422, "object");
    Reply::json(422, Outcome::InvalidValues, &MithrilError { meta, error })
}
