//! Fault injection for users and tests: which calls a fault hits, and how each service words it.

use std::sync::Mutex;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::query;
use super::service::{Service, aws_json};
use crate::template::Template;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The service's own 5xx. The call is not executed.
    Error,
    /// The service's throttling error. The call is not executed.
    Throttle,
    /// No answer until the caller disconnects. The call is not executed.
    Hang,
    /// The call is executed and the connection closed without an answer.
    DropResponse,
    /// The process that makes the call is killed (SIGKILL) while it waits for the answer. The call is not executed.
    ///
    /// Calls from outside the functions, and from processes that the cloud did not start, have no process to kill: their
    /// connection is closed without an answer. This also applies to `KillAfter`.
    KillBefore,
    /// The same, once the call has been executed.
    KillAfter,
    /// DynamoDB's writes and transactions only: a conflict with another transaction on the item.
    Conflict,
    /// SES: `MessageRejected`, as for a suppressed or unverified address. SNS: `InvalidParameter` (invalid number).
    /// EventBridge: a successful answer in which every entry failed with `InternalFailure`.
    Rejected,
    /// SNS only: the number has opted out.
    OptedOut,
}

/// One fault, as it is posted to `/_local/faults`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    service: Service,
    /// `null` or absent for every operation.
    #[serde(default)]
    operation: Option<String>,
    /// The function whose calls are hit, by its display name once parsed; `null` or absent for any caller.
    #[serde(default)]
    function: Option<String>,
    kind: Kind,
    /// The number of matching calls that pass first.
    #[serde(default)]
    skip: u64,
    /// The number of calls hit after that.
    #[serde(default = "once")]
    times: u64,
}

fn once() -> u64 {
    1
}

impl Rule {
    /// Parses and validates a posted rule; the error is for the sender.
    pub(crate) fn parse(body: &[u8], template: &Template) -> Result<Self, String> {
        let mut rule: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if let Some(name) = &mut rule.function {
            let index = template.function_named(name).ok_or_else(|| format!("the template has no function {name}"))?;
            name.clone_from(&template.functions[index].name);
        }
        let fits = match rule.kind {
            Kind::Error | Kind::Throttle | Kind::Hang => true,
            Kind::DropResponse | Kind::KillBefore | Kind::KillAfter => true,
            Kind::Conflict => rule.service == Service::DynamoDb,
            Kind::Rejected => matches!(rule.service, Service::Ses | Service::Sns | Service::Events),
            Kind::OptedOut => rule.service == Service::Sns,
        };
        if !fits {
            return Err(format!("{} has no fault of this kind", rule.service.name()));
        }
        Ok(rule)
    }

    fn matches(&self, service: Service, operation: &str, function: Option<&str>) -> bool {
        self.service == service
            && self.function.as_deref().is_none_or(|wanted| function == Some(wanted))
            && self.operation.as_ref().is_none_or(|wanted| wanted == operation)
            && (self.kind != Kind::Conflict || can_conflict(operation))
    }
}

fn can_conflict(operation: &str) -> bool {
    matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems" | "TransactGetItems")
}

/// The active faults, in the order they were posted.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Rule>>);

impl Faults {
    pub(crate) fn add(&self, rule: Rule) {
        self.0.lock().expect("no holder of this lock panics").push(rule);
    }

    pub(crate) fn list(&self) -> Vec<Rule> {
        self.0.lock().expect("no holder of this lock panics").clone()
    }

    pub(crate) fn clear(&self) {
        self.0.lock().expect("no holder of this lock panics").clear();
    }

    /// The fault that hits this call; `function` is the caller's display name. Every matching rule counts it towards its `skip`; the first one that is due hits.
    pub(super) fn hit(&self, service: Service, operation: &str, function: Option<&str>) -> Option<Kind> {
        let mut rules = self.0.lock().expect("no holder of this lock panics");
        let mut hit = None;
        for rule in rules.iter_mut().filter(|rule| rule.matches(service, operation, function)) {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if hit.is_none() && rule.times > 0 {
                rule.times -= 1;
                hit = Some(rule.kind);
            }
        }
        rules.retain(|rule| rule.times > 0);
        hit
    }
}

/// The service's error for a fault. Kinds that never get here, or that the service does not have, give its plain error.
pub(super) fn answer(service: Service, operation: &str, kind: Kind, body: &[u8]) -> Response<Body> {
    match service {
        Service::DynamoDb => dynamodb(operation, kind, body),
        Service::SecretsManager => match kind {
            Kind::Throttle => json_1_1(StatusCode::BAD_REQUEST, "ThrottlingException", "Rate exceeded"),
            Kind::Error
            | Kind::Hang
            | Kind::DropResponse
            | Kind::KillBefore
            | Kind::KillAfter
            | Kind::Conflict
            | Kind::Rejected
            | Kind::OptedOut => {
                let message = "An error occurred on the server side.";
                json_1_1(StatusCode::INTERNAL_SERVER_ERROR, "InternalServiceError", message)
            }
        },
        Service::Events => match kind {
            Kind::Throttle => json_1_1(StatusCode::BAD_REQUEST, "ThrottlingException", "Rate exceeded"),
            Kind::Error
            | Kind::Hang
            | Kind::DropResponse
            | Kind::KillBefore
            | Kind::KillAfter
            | Kind::Conflict
            | Kind::Rejected
            | Kind::OptedOut => {
                let message = "This exception occurs due to unexpected causes.";
                json_1_1(StatusCode::INTERNAL_SERVER_ERROR, "InternalException", message)
            }
        },
        Service::Ses => match kind {
            Kind::Throttle => {
                query::SES.refusal(StatusCode::BAD_REQUEST, "Throttling", "Maximum sending rate exceeded.")
            }
            Kind::Rejected => query::SES.refusal(
                StatusCode::BAD_REQUEST,
                "MessageRejected",
                "Email address is on the suppression list.",
            ),
            Kind::Error
            | Kind::Hang
            | Kind::DropResponse
            | Kind::KillBefore
            | Kind::KillAfter
            | Kind::Conflict
            | Kind::OptedOut => query::SES.refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalFailure",
                "An internal failure occurred.",
            ),
        },
        Service::Sns => match kind {
            Kind::Throttle => query::SNS.refusal(StatusCode::BAD_REQUEST, "Throttling", "Rate exceeded"),
            Kind::OptedOut => query::SNS.refusal(
                StatusCode::BAD_REQUEST,
                "OptedOut",
                "The phone number has opted out of receiving SMS messages.",
            ),
            Kind::Rejected => query::SNS.refusal(
                StatusCode::BAD_REQUEST,
                "InvalidParameter",
                "Invalid parameter: PhoneNumber Reason: it is not valid to publish to",
            ),
            Kind::Error | Kind::Hang | Kind::DropResponse | Kind::KillBefore | Kind::KillAfter | Kind::Conflict => {
                query::SNS.refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "An internal error occurred.")
            }
        },
    }
}

fn json_1_1(status: StatusCode, name: &str, message: &str) -> Response<Body> {
    aws_json(status, "application/x-amz-json-1.1", &json!({ "__type": name, "message": message }))
}

fn dynamodb(operation: &str, kind: Kind, body: &[u8]) -> Response<Body> {
    const JSON: &str = "application/x-amz-json-1.0";
    let named = |status, name: &str, message: &str| {
        let full = format!("com.amazonaws.dynamodb.v20120810#{name}");
        aws_json(status, JSON, &json!({ "__type": full, "message": message }))
    };
    match kind {
        Kind::Throttle => {
            let message = "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling \
                           your table or index so please try again shortly.";
            let body = json!({ "__type": "com.amazon.coral.availability#ThrottlingException", "message": message });
            aws_json(StatusCode::BAD_REQUEST, JSON, &body)
        }
        Kind::Conflict if operation.starts_with("Transact") => {
            let request: Value = serde_json::from_slice(body).unwrap_or_default();
            let items = request["TransactItems"].as_array().map_or(1, |items| items.len().max(1));
            let mut reasons =
                vec![json!({ "Code": "TransactionConflict", "Message": "Transaction is ongoing for the item" })];
            reasons.resize(items, json!({ "Code": "None" }));
            let codes: Vec<&str> = reasons.iter().filter_map(|reason| reason["Code"].as_str()).collect();
            let message = format!(
                "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
                codes.join(", ")
            );
            let body = json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "Message": message,
                "CancellationReasons": reasons,
            });
            aws_json(StatusCode::BAD_REQUEST, JSON, &body)
        }
        Kind::Conflict => {
            named(StatusCode::BAD_REQUEST, "TransactionConflictException", "Transaction is ongoing for the item")
        }
        Kind::Error
        | Kind::Hang
        | Kind::DropResponse
        | Kind::KillBefore
        | Kind::KillAfter
        | Kind::Rejected
        | Kind::OptedOut => named(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal server error"),
    }
}
