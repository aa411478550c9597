//! Invoked by hand, with IAM: no route.
mod command;
mod handler;

use countersign_shared::edge;
use lambda_runtime::{LambdaEvent, service_fn};

fn main() -> std::process::ExitCode {
    edge::start(async |edge| {
        let (cost, mail_domain) = (edge.password_cost(), edge.mail_domain_if_any());
        let operator = handler::Operator {
            domains: edge.table(),
            users: edge.table(),
            claims: edge.table(),
            read_users: edge.table(),
            change_users: edge.table(),
            factors: edge.table(),
            clients: edge.table(),
            read_clients: edge.table(),
            change_clients: edge.table(),
            tokens: edge.table(),
            change_tokens: edge.table(),
            cost: cost?,
            mail_domain: mail_domain?,
        };
        Ok(async move {
            let operator = &operator;
            lambda_runtime::run(service_fn(async |event: LambdaEvent<serde_json::Value>| {
                Ok::<_, lambda_runtime::Error>(operator.answer(event.payload, &event.context.request_id).await)
            }))
            .await
        })
    })
}
