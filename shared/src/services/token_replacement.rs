//! Floor 2: replaces a token when a code is sent. The old token is revoked once the code was sent, and not before: a
//! failure or a crash on the way leaves it valid.

use crate::{
    domain::{auth::token::Token, crypto::secret::Digest, time::Timestamp},
    http::{call::Call, reply::Answer},
    services::otp_sender::Extra,
    store::{
        rows,
        table::{Change, Changed, Table, Update},
    },
};

/// The write that goes with the code: marks the token as being replaced. Other requests that want to replace it wait
/// meanwhile, and it stays valid if the code is not sent.
#[must_use]
pub fn begin(tokens: &Table<Token, Update>, call: &Call, old: &Token) -> Extra {
    let by = &call.invocation;
    let mut extra = Extra::default();
    let begin = rows::token::begin_replacing(old, by, call.now);
    extra.writes.update(tokens, &old.digest, begin);
    extra.undo.update(tokens, &old.digest, rows::token::keep(by));
    extra
}

/// Revokes the token and returns the answer with its replacement; `None` when another request has taken the token over.
/// `ends` is the change that revokes it ([`rows::token::renew`], [`rows::token::replace`]).
pub async fn end(
    tokens: &Table<Token, Update>,
    call: &Call,
    old: &Digest,
    ends: fn(&str, Timestamp) -> Change,
    answer: Answer,
) -> Option<Answer> {
    let (by, now) = (call.invocation.as_str(), call.now);
    match tokens.update(old, ends(by, now), now).await {
        Ok(Changed::Yes(_)) => Some(answer),
        // Our own write, whose answer was lost.
        Ok(Changed::No(Some(token))) if token.replaced_by.as_deref() == Some(by) => Some(answer),
        Ok(Changed::No(_)) => None,
        // The message is on its way, and the new token is valid: that the earlier one still is, is only logged.
        Err(fault) => Some(answer.with_fault(fault)),
    }
}
