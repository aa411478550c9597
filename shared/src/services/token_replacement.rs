//! Floor 2: replaces a token when a code is sent. The old token is revoked once the code was sent, and not before: a
//! failure or a crash on the way leaves it valid.

use crate::{
    domain::{auth::token::Token, crypto::secret::Digest, time::Timestamp},
    fault::Fault,
    http::{call::Call, reply::Answer},
    services::{idempotency::Once, otp_sender::Extra},
    store::{
        rows,
        table::{Change, Committed, Table, Transaction, Update},
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
///
/// # Errors
/// [`Fault`] when the random generator fails.
pub async fn end(
    tokens: &Table<Token, Update>,
    call: &Call,
    old: &Digest,
    ends: fn(&str, Timestamp) -> Change,
    answer: Answer,
    once: &Once<'_>,
) -> Result<Option<Answer>, Fault> {
    // In one transaction: a call that is killed behind it has revoked a token, and its repetition gets the other one.
    let mut transaction = Transaction::default();
    transaction.update(tokens, old, ends(&call.invocation, call.now));
    once.store(&mut transaction, &answer)?;
    Ok(match transaction.commit().await {
        Ok(Committed::Yes) => {
            once.note_stored();
            Some(answer)
        }
        Ok(Committed::No(_)) => None,
        // The message is on its way, and the new token is valid: that the earlier one still is, is only logged.
        Err(fault) => Some(answer.with_fault(fault)),
    })
}
