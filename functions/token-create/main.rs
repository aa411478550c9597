//! POST /mithril/api/tokens
mod authorize;
mod client;
mod handler;
mod password;
mod refresh;

use countersign_shared::edge;

fn main() -> std::process::ExitCode {
    edge::run_recorded(async |edge| {
        let (mailer, texter) = (edge.mailer(), edge.texter());
        let (answers, keys) = (edge.keys().await, edge.keys().await);
        let (policy, lockout) = (edge.sending_policy(), edge.lockout_policy());
        let (lifetimes, failed_logins) = (edge.token_lifetimes(), edge.failed_logins());
        let cost = edge.password_cost();
        Ok(handler::Create {
            repetitions: edge.table(),
            forget: edge.table(),
            clients: edge.table(),
            claims: edge.table(),
            tokens: edge.table(),
            users: edge.table(),
            depend_on_users: edge.table(),
            factors: edge.table(),
            otps: edge.table(),
            meters: edge.table(),
            domains: edge.table(),
            suppressions: edge.table(),
            new_tokens: edge.table(),
            change_tokens: edge.table(),
            change_users: edge.table(),
            change_otps: edge.table(),
            change_meters: edge.table(),
            read_budgets: edge.table(),
            budgets: edge.table(),
            read_unknown: edge.table(),
            change_unknown: edge.table(),
            depend_on_unknown: edge.table(),
            answers: answers?,
            keys: keys?,
            mailer: mailer?,
            texter: texter?,
            policy: policy?,
            lockout: lockout?,
            lifetimes: lifetimes?,
            failed_logins: failed_logins?,
            cost: cost?,
        })
    })
}
