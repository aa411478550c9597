//! PATCH /rest/v1/iam/pwd_reset_requests/{uuid}
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let mailer = edge.mailer();
        let cost = edge.password_cost();
        Ok(handler::Confirm {
            repetitions: edge.table(),
            forget: edge.table(),
            requests: edge.table(),
            users: edge.table(),
            depend_on_users: edge.table(),
            domains: edge.table(),
            suppressions: edge.table(),
            change_users: edge.table(),
            pins: edge.table(),
            use_up: edge.table(),
            mailer: mailer?,
            cost: cost?,
        })
    })
}
