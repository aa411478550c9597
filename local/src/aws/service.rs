//! The services, and the responses of those that speak JSON.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

use crate::{http, random};

/// The callable services, by the names that faults and invocations use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Service {
    DynamoDb,
    Ses,
    Sns,
    SecretsManager,
    /// EventBridge, by its name in ARNs and actions.
    Events,
}

impl Service {
    /// The service in this segment of an endpoint's path.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::DynamoDb, Self::Ses, Self::Sns, Self::SecretsManager, Self::Events]
            .into_iter()
            .find(|service| service.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Ses => "ses",
            Self::Sns => "sns",
            Self::SecretsManager => "secretsmanager",
            Self::Events => "events",
        }
    }
}

/// A response of the JSON protocols.
pub(super) fn aws_json(status: StatusCode, version: &'static str, body: &Value) -> Response<Body> {
    let mut response = http::answer(status, version, body.to_string());
    let id = HeaderValue::try_from(random::uuid()).expect("a UUID is visible ASCII");
    response.headers_mut().insert("x-amzn-requestid", id);
    response
}
