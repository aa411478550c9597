//! POST /rest/v1/iam/pwd_reset_requests
mod change;
mod handler;
mod reset;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let mailer = edge.mailer();
        let policy = edge.password_reset_policy();
        let (guesses, cost) = (edge.password_guesses(), edge.password_cost());
        Ok(handler::Request {
            repetitions: edge.table(),
            forget: edge.table(),
            domains: edge.table(),
            claims: edge.table(),
            users: edge.table(),
            depend_on_users: edge.table(),
            suppressions: edge.table(),
            read_budgets: edge.table(),
            budgets: edge.table(),
            read_levels: edge.table(),
            levels: edge.table(),
            requests: edge.table(),
            take_back: edge.table(),
            tokens: edge.table(),
            change_users: edge.table(),
            pins: edge.table(),
            mailer: mailer?,
            policy: policy?,
            guesses: guesses?,
            cost: cost?,
        })
    })
}
