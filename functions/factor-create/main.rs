//! POST /mithril/api/users/{user_id}/authentication_factors
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        Ok(handler::Create {
            tokens: edge.table(),
            users: edge.table(),
            depend_on_users: edge.table(),
            clients: edge.table(),
            factors: edge.table(),
        })
    })
}
