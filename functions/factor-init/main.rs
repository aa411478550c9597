//! PATCH /mithril/api/users/actions/init_factor
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let (answers, keys) = (edge.keys().await, edge.keys().await);
        let (texter, policy, lifetimes) = (edge.texter(), edge.sending_policy(), edge.token_lifetimes());
        Ok(handler::Init {
            repetitions: edge.table(),
            forget: edge.table(),
            tokens: edge.table(),
            users: edge.table(),
            depend_on_users: edge.table(),
            factors: edge.table(),
            otps: edge.table(),
            meters: edge.table(),
            change_users: edge.table(),
            change_otps: edge.table(),
            change_meters: edge.table(),
            new_tokens: edge.table(),
            change_tokens: edge.table(),
            budgets: edge.table(),
            answers: answers?,
            keys: keys?,
            texter: texter?,
            policy: policy?,
            lifetimes: lifetimes?,
        })
    })
}
