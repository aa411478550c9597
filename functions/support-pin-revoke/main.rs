//! POST /api/v4/users/{id}/support_pin/revoke
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let provider = edge.identity_provider();
        Ok(handler::Revoke {
            tokens: edge.table(),
            users: edge.table(),
            pins: edge.table(),
            provider: provider?,
        })
    })
}
