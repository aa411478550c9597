//! GET /api/v4/user/support_pin
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let (keys, provider) = (edge.keys().await, edge.identity_provider());
        Ok(handler::Show {
            tokens: edge.table(),
            users: edge.table(),
            pins: edge.table(),
            keys: keys?,
            provider: provider?,
        })
    })
}
