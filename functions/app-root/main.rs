//! GET /app-root
mod handler;
mod page;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run(async |edge| {
        Ok(handler::AppRoot {
            pages: page::Pages::new(edge.login_url()?.as_deref()),
        })
    })
}
