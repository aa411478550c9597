//! POST /rest/v1/iam/self_register_requests
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let mailer = edge.mailer();
        let policy = edge.registration_policy();
        Ok(handler::Request {
            repetitions: edge.table(),
            forget: edge.table(),
            domains: edge.table(),
            claims: edge.table(),
            suppressions: edge.table(),
            read_budgets: edge.table(),
            budgets: edge.table(),
            read_levels: edge.table(),
            levels: edge.table(),
            requests: edge.table(),
            take_back: edge.table(),
            mailer: mailer?,
            policy: policy?,
        })
    })
}
