//! GET /openapi.json
mod document;
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run(async |_| {
        Ok(handler::OpenApi {
            document: document::document(),
        })
    })
}
