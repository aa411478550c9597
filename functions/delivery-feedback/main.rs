//! Invoked by SNS with what SES tells about our mail: bounces and complaints.
mod handler;
mod notice;

use countersign_shared::edge;
use lambda_runtime::{LambdaEvent, service_fn};

fn main() -> std::process::ExitCode {
    edge::start(async |edge| {
        let (policy, keeping, source) = (edge.suppression_policy(), edge.audit_policy(), edge.mail_events());
        let feedback = handler::DeliveryFeedback {
            suppressions: edge.table(),
            registrations: edge.table(),
            resets: edge.table(),
            audit: edge.table(),
            source: source?,
            policy: policy?,
            keeping: keeping?,
        };
        Ok(async move {
            let feedback = &feedback;
            lambda_runtime::run(service_fn(async |event: LambdaEvent<serde_json::Value>| {
                feedback.answer(&event.payload, &event.context.request_id).await
            }))
            .await
        })
    })
}
