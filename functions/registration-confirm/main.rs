//! PATCH /rest/v1/iam/self_register_requests/{uuid}
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let (cost, unconfirmed) = (edge.password_cost(), edge.unconfirmed_mails());
        Ok(handler::Confirm {
            requests: edge.table(),
            domains: edge.table(),
            read_claims: edge.table(),
            users: edge.table(),
            claims: edge.table(),
            use_up: edge.table(),
            levels: edge.table(),
            unconfirmed: unconfirmed?,
            cost: cost?,
        })
    })
}
