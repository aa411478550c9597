//! POST /mithril/api/users
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let cost = edge.password_cost()?;
        Ok(handler::Create {
            tokens: edge.table(),
            users: edge.table(),
            clients: edge.table(),
            domains: edge.table(),
            new_users: edge.table(),
            claims: edge.table(),
            factors: edge.table(),
            cost,
        })
    })
}
