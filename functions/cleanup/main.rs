//! Invoked by the streams of the tables whose rows end.
mod handler;
mod record;

use countersign_shared::edge;
use lambda_runtime::{LambdaEvent, service_fn};

fn main() -> std::process::ExitCode {
    edge::start(async |edge| {
        let policy = edge.audit_policy();
        let cleanup = handler::Cleanup {
            audit: edge.table(),
            policy: policy?,
        };
        Ok(async move {
            let cleanup = &cleanup;
            lambda_runtime::run(service_fn(async |event: LambdaEvent<serde_json::Value>| {
                cleanup.answer(&event.payload, &event.context.request_id).await
            }))
            .await
        })
    })
}
