//! `template.yaml`, parsed: the only declaration of what the local cloud runs.

mod document;
mod eval;
mod parameters;
mod read;
mod roles;
mod values;
mod yaml;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

pub(crate) use eval::{ACCOUNT, API, REGION};
pub(crate) use parameters::parameters;

use crate::rights::Role;
use crate::streams::Filter;

/// Everything in a template that the local cloud serves.
#[derive(Debug, Default)]
pub(crate) struct Template {
    /// By logical id; the other parts point into this list.
    pub(crate) functions: Vec<Function>,
    pub(crate) routes: Vec<Route>,
    pub(crate) tables: Vec<Table>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) streams: Vec<StreamMapping>,
    pub(crate) schedules: Vec<Schedule>,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) mail_events: Vec<MailEvents>,
    /// Which other origins may call the API; none without it.
    pub(crate) cors: Option<Cors>,
    /// Features that the template uses and the local cloud does not support.
    pub(crate) notes: Vec<String>,
}

/// A function and its binary.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    /// The resource's name in the template.
    pub(crate) logical_id: String,
    /// Its display name: its binary's name, or the logical id if two functions share a binary.
    pub(crate) name: String,
    /// Its name once deployed.
    pub(crate) physical_name: String,
    pub(crate) binary: String,
    pub(crate) timeout: Duration,
    pub(crate) memory_mb: u64,
    pub(crate) environment: Vec<(String, String)>,
    /// Its IAM role.
    pub(crate) role: Arc<Role>,
    /// `ReservedConcurrentExecutions`.
    pub(crate) reserved: Option<usize>,
}

/// One route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// `None` for `ANY`.
    pub(crate) method: Option<String>,
    /// `None` for `$default`.
    pub(crate) path: Option<String>,
    pub(crate) function: usize,
    /// The authorizer that verifies the caller's token before the function is invoked, if any.
    pub(crate) authorizer: Option<Authorizer>,
}

/// A JWT authorizer: it accepts tokens of this issuer for one of these audiences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorizer {
    /// The `iss` of tokens; its keys are discovered from there.
    pub(crate) issuer: String,
    pub(crate) audience: Vec<String>,
}

/// An API's CORS configuration, each header's value ready to be sent.
#[derive(Debug)]
pub(crate) struct Cors {
    pub(crate) origins: Vec<String>,
    pub(crate) methods: String,
    pub(crate) headers: String,
    pub(crate) exposed: String,
    pub(crate) max_age: u64,
}

impl Route {
    /// `GET /things/{id}`, `ANY /things`, `$default`.
    pub(crate) fn key(&self) -> String {
        match &self.path {
            Some(path) => format!("{} {path}", self.method.as_deref().unwrap_or("ANY")),
            None => "$default".to_owned(),
        }
    }
}

/// A table, as the request that creates it.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) logical_id: String,
    pub(crate) name: String,
    pub(crate) create: Value,
    pub(crate) ttl_attribute: Option<String>,
    pub(crate) stream_arn: Option<String>,
}

/// A secret and the source of its first value.
#[derive(Debug, Clone)]
pub(crate) struct Secret {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) source: SecretSource,
}

/// The source of a secret's first value.
#[derive(Debug, Clone)]
pub(crate) enum SecretSource {
    /// Written in the template.
    Literal(String),
    /// `GenerateSecretString`.
    Generated {
        length: usize,
        alphabet: String,
        /// A JSON object and the key for the generated text; without it the text is the value.
        inside: Option<(serde_json::Map<String, Value>, String)>,
    },
}

/// A DynamoDB stream that feeds a function.
#[derive(Debug, Clone)]
pub(crate) struct StreamMapping {
    pub(crate) function: usize,
    pub(crate) table: usize,
    pub(crate) batch_size: usize,
    /// `None` retries as long as Lambda would: until the record is a day old.
    pub(crate) retries: Option<u32>,
    pub(crate) bisect: bool,
    pub(crate) reports_failures: bool,
    /// A record is delivered if it matches one of them, or if there are none.
    pub(crate) filters: Vec<Filter>,
    /// The ARN of the destination for batches that are given up.
    pub(crate) on_failure: Option<String>,
}

/// A function that a topic feeds.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) function: usize,
    /// The topic's ARN.
    pub(crate) topic: String,
}

/// The events that SES publishes about the mail of a configuration set.
#[derive(Debug, Clone)]
pub(crate) struct MailEvents {
    pub(crate) configuration_set: String,
    /// `bounce`, `complaint` and the like.
    pub(crate) kinds: Vec<String>,
    /// The ARN of the topic that they are published to.
    pub(crate) topic: String,
}

/// A function invoked at a fixed rate.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) function: usize,
    pub(crate) name: String,
    pub(crate) every: Duration,
    /// A fixed payload in place of the scheduled event.
    pub(crate) input: Option<String>,
}

impl Template {
    /// The function with this logical id, binary name or deployed name; `operator` finds the operator's.
    pub(crate) fn function_named(&self, name: &str) -> Option<usize> {
        let named = |name: &str| {
            self.functions.iter().position(|function| {
                function.logical_id == name || function.name == name || function.physical_name == name
            })
        };
        named(name).or_else(|| (name == "operator").then(|| named("OperatorFunction")).flatten())
    }
}
