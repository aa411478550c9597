//! PATCH /mithril/api/users/{user_id}/actions/block
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        Ok(handler::Block {
            tokens: edge.table(),
            users: edge.table(),
            clients: edge.table(),
            change_users: edge.table(),
        })
    })
}
