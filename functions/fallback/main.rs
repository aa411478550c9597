//! $default
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run(async |edge| {
        Ok(handler::Fallback {
            has_cors: edge.has_cors(),
            public_url: edge.public_url()?,
        })
    })
}
