//! GET /api/v4/users/{id}/support_pin
mod handler;

use countersign_shared::{edge, trail::Trail};

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let (keys, policy, provider) = (edge.keys().await, edge.audit_policy(), edge.identity_provider());
        Ok(handler::ShowUser {
            tokens: edge.table(),
            users: edge.table(),
            pins: edge.table(),
            keys: keys?,
            trail: Trail::new(edge.table(), policy?),
            provider: provider?,
        })
    })
}
