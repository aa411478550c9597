//! What must hold in every state.
//!
//! Eventual properties are checked in the states in which all clients are done. Such an end always exists: calls,
//! faults and lifetimes are finite, and a condition only fails because another write was stored.

use stateright::Property;

use super::{Program, Scenario, World};
use crate::domain::otp::{End, Status};

pub(super) const ONE_WINNER: &str = "a code gives one access token";
pub(super) const ONE_TOKEN: &str = "a login gives one access token";
pub(super) const ATTEMPTS: &str = "no more comparisons of a code are reported than it has attempts";
pub(super) const RATE_LIMIT: &str = "no more comparisons of an account are reported than its rate limit allows";
pub(super) const BLOCKED: &str = "no more guesses of an account fail than the lockout allows, and one that blocks";
pub(super) const SHUT: &str = "no code of a blocked user is accepted";
pub(super) const EXACT: &str = "as many guesses are compared as there is room for";
pub(super) const COUNTED: &str = "each comparison and each failure is counted once, and no code or login resets it";
pub(super) const COUNTED_FIRST: &str = "no comparison is reported that is not counted";
pub(super) const LIVE: &str = "no code is accepted that was replaced, revoked, used or expired";
pub(super) const RIGHT_IS_ANSWERED: &str = "a correct code is reported as correct, whatever response was lost";
pub(super) const WHOLE: &str = "a used code has given its access token";
pub(super) const OWNER: &str = "the owner can log in, whatever came in between";

pub(super) fn all() -> Vec<Property<Scenario>> {
    let always = Property::<Scenario>::always;
    vec![
        always(ONE_WINNER, |_, world| all_differ(world, |token| token.0)),
        always(ONE_TOKEN, |_, world| all_differ(world, |token| token.1)),
        always(ATTEMPTS, |scenario, world| {
            let most = usize::try_from(scenario.policy.max_attempts).expect("a small number");
            let runs = world.seen.answered.chunk_by(|one, next| one == next);
            runs.map(<[u8]>::len).max().unwrap_or_default() <= most
        }),
        always(RATE_LIMIT, |scenario, world| world.seen.answered.len() <= scenario.policy.guesses.most()),
        always(BLOCKED, |scenario, world| world.seen.failures <= scenario.lockout.otps + 1),
        always(SHUT, |_, world| !world.seen.blocked_was_right),
        always(EXACT, |scenario, world| {
            let exact = |compared| world.seen.answered.len() == compared;
            !world.is_expired() || scenario.compared.is_none_or(exact)
        }),
        always(COUNTED, |_, world| {
            let counted = (world.otps.0.guesses.len(), world.user.lockout.otps);
            counted == (world.seen.compared, world.seen.failures)
        }),
        always(COUNTED_FIRST, |_, world| world.seen.answered.len() <= world.seen.compared),
        always(LIVE, |_, world| !world.seen.dead_was_right),
        always(RIGHT_IS_ANSWERED, |_, world| !world.seen.right_was_denied),
        always(WHOLE, |_, world| {
            let has_token = |code: u8| world.seen.tokens.iter().any(|token| token.0 == code);
            !world.is_expired() || used_up(world).is_none_or(has_token)
        }),
        always(OWNER, |scenario, world| {
            let mut clients = world.clients.iter();
            let is_in = clients.all(|client| match scenario.programs[client.who] {
                Program::Calls(_) => true,
                Program::Owner => client.is_in,
            });
            !world.is_expired() || is_in
        }),
    ]
}

fn all_differ(world: &World, part: fn(&(u8, u8)) -> u8) -> bool {
    let mut parts: Vec<_> = world.seen.tokens.iter().map(part).collect();
    parts.sort_unstable();
    parts.windows(2).all(|pair| pair[0] != pair[1])
}

/// The newest code, if it was consumed.
fn used_up(world: &World) -> Option<u8> {
    let otp = world.otps.0.code.as_ref()?;
    match otp.status {
        Status::Ended(End::Verified) => Some(otp.id[0]),
        Status::Ended(End::Unverified | End::Canceled | End::Expired) | Status::New(_) => None,
    }
}
