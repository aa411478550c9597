//! GET /api/v4/users/{id}/support_pin
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run(async |edge| {
        let keys = edge.keys().await;
        Ok(handler::ShowUser {
            tokens: edge.table(),
            users: edge.table(),
            pins: edge.table(),
            keys: keys?,
        })
    })
}
