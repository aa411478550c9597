//! GET /passcode/retrieve
mod handler;

use countersign_shared::{edge, store::rows::budget::Creations};

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let (policy, keys, provider) = (edge.passcode_policy(), edge.keys().await, edge.identity_provider());
        Ok(handler::Retrieve {
            tokens: edge.table(),
            users: edge.table(),
            clients: edge.table(),
            created: Creations(edge.table()),
            passcodes: edge.table(),
            keys: keys?,
            policy: policy?,
            provider: provider?,
        })
    })
}
