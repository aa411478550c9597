//! PATCH /mithril/api/users/actions/approve_factor
mod handler;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let (mailer, keys) = (edge.mailer(), edge.keys().await);
        let (policy, lockout, lifetimes) = (edge.otp_policy(), edge.lockout_policy(), edge.token_lifetimes());
        Ok(handler::Approve {
            tokens: edge.table(),
            users: edge.table(),
            factors: edge.table(),
            otps: edge.table(),
            meters: edge.table(),
            domains: edge.table(),
            suppressions: edge.table(),
            new_tokens: edge.table(),
            change_users: edge.table(),
            change_factors: edge.table(),
            change_otps: edge.table(),
            change_meters: edge.table(),
            keys: keys?,
            mailer: mailer?,
            policy: policy?,
            lockout: lockout?,
            lifetimes: lifetimes?,
        })
    })
}
