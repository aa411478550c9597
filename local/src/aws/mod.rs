//! The AWS endpoints that functions talk to with the ordinary SDK.
//!
//! Each process has its own path to them, so every call is recorded with the invocation that made it.

mod dynamodb;
mod eventbridge;
mod fault;
mod feedback;
mod permission;
mod query;
mod secrets;
mod service;
mod ses;
mod sns;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use serde_json::json;

pub(crate) use fault::{Faults, Kind, Rule};
pub(crate) use secrets::{SecretState, Secrets};
pub(crate) use service::Service;

use crate::http::{self, Dropped, Unread};
use crate::invocations::{Call, Units};
use crate::rights;
use crate::runtime::Process;
use crate::state::Inner;

/// DynamoDB takes 16 MB, SES 10 MB before base64.
const LONGEST_REQUEST: usize = 17 * 1024 * 1024;

/// Answers one call. `caller` is the process that made it; `None` for calls through [`crate::Cloud::endpoint`].
pub(crate) async fn answer(
    inner: &Arc<Inner>,
    caller: Option<&Process>,
    service: &str,
    request: Request<Body>,
) -> Result<Response<Body>, Dropped> {
    let Some(service) = Service::named(service) else {
        return Ok(http::json(StatusCode::NOT_FOUND, &json!({ "message": "no such service here" })));
    };
    let (head, body) = request.into_parts();
    let body = match http::read(body, LONGEST_REQUEST).await {
        Ok(body) => body,
        Err(Unread::TooLong) => {
            return Ok(http::json(
                StatusCode::PAYLOAD_TOO_LARGE,
                &json!({ "__type": "RequestEntityTooLargeException" }),
            ));
        }
        Err(Unread::Broken) => return Err(Dropped),
    };
    let (operation, table) = match service {
        Service::DynamoDb => (target(&head.headers), dynamodb::tables(&body)),
        Service::SecretsManager | Service::Events => (target(&head.headers), None),
        Service::Ses | Service::Sns => (query::action(&body), None),
    };
    let units = Units::default();
    if let Some(process) = caller {
        process.called(Call {
            service: service.name(),
            operation: operation.clone(),
            table,
            units: units.clone(),
        });
        let (function, role) = (&process.function, &process.function.role);
        let needs = permission::needs(service, &operation, &body, &inner.secrets);
        if let Err(need) = rights::check(&inner.usage, &function.name, role, &needs) {
            inner.log.function(&function.name, &permission::log_line(&role.name, need));
            return Ok(permission::denial(service, &role.name, &function.physical_name, need));
        }
    }
    let hit = inner.faults.hit(service, &operation, caller.map(|process| process.function.name.as_str()));
    // Of the calls that a process has made concurrently, none is executed once it is killed.
    if caller.is_some_and(Process::is_killed) {
        return Err(Dropped);
    }
    match hit {
        None => Ok(carry_out(inner, service, operation, head, body, units).await),
        Some(Kind::Hang) => std::future::pending().await,
        Some(Kind::DropResponse) => {
            carry_out(inner, service, operation, head, body, units).await;
            Err(Dropped)
        }
        Some(Kind::KillBefore) => Err(killed(caller).await),
        Some(Kind::KillAfter) => {
            carry_out(inner, service, operation, head, body, units).await;
            Err(killed(caller).await)
        }
        Some(Kind::Rejected) if service == Service::Events => Ok(eventbridge::none_accepted(&body)),
        Some(kind) => Ok(fault::answer(service, &operation, kind, &body)),
    }
}

/// Kills the process and waits until it has ended: it must not see its connection close and go on.
async fn killed(caller: Option<&Process>) -> Dropped {
    if let Some(process) = caller {
        process.kill().await;
    }
    Dropped
}

/// Carries a call out, in its own task: a call that has begun is completed although its caller disconnects or dies.
async fn carry_out(
    inner: &Arc<Inner>,
    service: Service,
    operation: String,
    head: Parts,
    body: Bytes,
    units: Units,
) -> Response<Body> {
    let inner = Arc::clone(inner);
    let task = tokio::spawn(async move {
        match service {
            Service::DynamoDb => {
                let (database, streams, log) = (&inner.database, &inner.streams, &inner.log);
                dynamodb::forward(database, streams, log, &operation, head, body, &units).await
            }
            Service::SecretsManager => {
                let response = inner.secrets.answer(&operation, &body, inner.clock.seconds());
                if operation == "PutSecretValue" && response.status().is_success() {
                    inner.save();
                }
                response
            }
            Service::Events => eventbridge::answer(&operation, &body, &inner, &units),
            Service::Ses => ses::answer(&operation, head, body, &inner, &units).await,
            Service::Sns => sns::answer(&operation, head, body, &inner, &units).await,
        }
    });
    task.await.expect("a call does not panic, and no other code ends its task")
}

/// `DynamoDB_20120810.GetItem` in `X-Amz-Target` is the operation `GetItem`.
fn target(headers: &axum::http::HeaderMap) -> String {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    target.rsplit_once('.').map_or(target, |(_, operation)| operation).to_owned()
}
