//! GET /passcode/status
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run(async |edge| {
        let provider = edge.identity_provider();
        Ok(handler::Status {
            tokens: edge.table(),
            users: edge.table(),
            clients: edge.table(),
            passcodes: edge.table(),
            provider: provider?,
        })
    })
}
