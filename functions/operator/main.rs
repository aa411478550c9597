//! Invoked by hand, with IAM: no route.
mod clients;
mod command;
mod domains;
mod erase;
mod given;
mod handler;
mod keys;
mod suppressions;
mod sweep;
mod tokens;
mod users;

use countersign_shared::edge;
use lambda_runtime::{LambdaEvent, service_fn};

fn main() -> std::process::ExitCode {
    edge::start(async |edge| {
        let (cost, mail_domain) = (edge.password_cost(), edge.mail_domain_if_any());
        let (pins, passcodes, otps, answers) = (edge.key_shelf(), edge.key_shelf(), edge.key_shelf(), edge.key_shelf());
        let keeping = edge.audit_policy();
        let operator = handler::Operator {
            read_domains: edge.table(),
            domains: edge.table(),
            read_users: edge.table(),
            users: edge.table(),
            change_users: edge.table(),
            depend_on_users: edge.table(),
            erase_users: edge.table(),
            read_claims: edge.table(),
            claims: edge.table(),
            erase_claims: edge.table(),
            read_factors: edge.table(),
            factors: edge.table(),
            change_factors: edge.table(),
            erase_factors: edge.table(),
            read_clients: edge.table(),
            clients: edge.table(),
            change_clients: edge.table(),
            read_tokens: edge.table(),
            tokens: edge.table(),
            change_tokens: edge.table(),
            find_tokens: edge.table(),
            erase_tokens: edge.table(),
            read_suppressions: edge.table(),
            find_suppressions: edge.table(),
            lift: edge.table(),
            read_otps: edge.table(),
            erase_otps: edge.table(),
            read_pins: edge.table(),
            erase_pins: edge.table(),
            read_budgets: edge.table(),
            erase_budgets: edge.table(),
            read_unknown: edge.table(),
            erase_unknown: edge.table(),
            find_resets: edge.table(),
            erase_resets: edge.table(),
            find_registrations: edge.table(),
            erase_registrations: edge.table(),
            find_repetitions: edge.table(),
            erase_repetitions: edge.table(),
            events: edge.table(),
            support_pin_keys: pins?,
            passcode_keys: passcodes?,
            otp_keys: otps?,
            answer_keys: answers?,
            keeping: keeping?,
            cost: cost?,
            mail_domain: mail_domain?,
        };
        Ok(async move {
            let operator = &operator;
            lambda_runtime::run(service_fn(async |event: LambdaEvent<given::Given>| {
                Ok::<_, lambda_runtime::Error>(operator.answer(event.payload, &event.context.request_id).await)
            }))
            .await
        })
    })
}
