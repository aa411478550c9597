//! PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/reset
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let mailer = edge.mailer();
        Ok(handler::Reset {
            tokens: edge.table(),
            users: edge.table(),
            clients: edge.table(),
            factors: edge.table(),
            change_factors: edge.table(),
            domains: edge.table(),
            suppressions: edge.table(),
            mailer: mailer?,
        })
    })
}
