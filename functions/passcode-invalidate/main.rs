//! POST /passcode/invalidate
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let provider = edge.identity_provider();
        Ok(handler::Invalidate {
            tokens: edge.table(),
            users: edge.table(),
            clients: edge.table(),
            passcodes: edge.table(),
            provider: provider?,
        })
    })
}
