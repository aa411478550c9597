//! PATCH /mithril/api/users/{user_id}/actions/create_otp
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let (answers, keys) = (edge.keys().await, edge.keys().await);
        let (texter, policy) = (edge.texter(), edge.sending_policy());
        Ok(handler::Create {
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
            budgets: edge.table(),
            answers: answers?,
            keys: keys?,
            texter: texter?,
            policy: policy?,
        })
    })
}
