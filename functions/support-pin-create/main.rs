//! POST /api/v4/user/support_pin
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let (policy, keys, provider) = (edge.support_pin_policy(), edge.keys().await, edge.identity_provider());
        Ok(handler::Create {
            tokens: edge.table(),
            users: edge.table(),
            depend_on_users: edge.table(),
            pins: edge.table(),
            keys: keys?,
            policy: policy?,
            provider: provider?,
        })
    })
}
