//! GET /passcode/retrieve
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let (policy, keys, provider) = (edge.passcode_policy(), edge.keys().await, edge.identity_provider());
        Ok(handler::Retrieve {
            tokens: edge.table(),
            users: edge.table(),
            clients: edge.table(),
            budgets: edge.table(),
            passcodes: edge.table(),
            keys: keys?,
            policy: policy?,
            provider: provider?,
        })
    })
}
