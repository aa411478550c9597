//! GET /mithril/api/users/{user_id}/authentication_factors/{id}
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run(async |edge| {
        Ok(handler::Show {
            tokens: edge.table(),
            users: edge.table(),
            clients: edge.table(),
            factors: edge.table(),
        })
    })
}
