//! Floor 2: calls that come again, told by their `Idempotency-Key` (contracts.md §5).

use crate::{
    domain::repetition::{Remembered, State, UnderWay, key},
    fault::Fault,
    http::{call::Call, rejection::Rejection, reply::Answer},
    store::table::{Delete, Put, Table},
};

/// Answers a call once. One with the same key, credential and body gets the same answer again for a day, and nothing is
/// done; while the first one is under way, [`UnderWay`]. A call that was refused or failed may be tried again at once.
/// Without a key, every call is another one.
///
/// `credential` is what the caller proves who it is with: nobody gets an answer that was another one's.
///
/// # Errors
/// Those of `answer`, and the three named.
pub async fn once<E>(
    calls: &Table<Remembered, Put>,
    forget: &Table<Remembered, Delete>,
    call: &Call,
    function: &'static str,
    credential: &str,
    answer: impl Future<Output = Result<Answer, E>>,
) -> Result<Answer, E>
where
    E: From<Rejection> + From<Fault> + From<UnderWay>,
{
    let Some(given) = call.idempotency_key()? else {
        return answer.await;
    };
    let begun = Remembered::begun(
        key(function, credential, given, call.body()?),
        &call.invocation,
        call.now,
    );
    if let Some(other) = calls.claim(&begun, call.now).await? {
        return match other.state {
            State::UnderWay => Err(UnderWay.into()),
            State::Answered { status, body } => Ok(Answer::repeated(status, body)),
        };
    }
    match answer.await {
        Ok(answer) => {
            let (status, body) = answer.content();
            let answered = begun.answered(status, body.to_owned(), call.now);
            // What was done is done: that it could not be remembered is for the log.
            Ok(match calls.put(&answered).await {
                Ok(()) => answer,
                Err(fault) => answer.with_fault(fault),
            })
        }
        Err(error) => {
            // The first error is the one to tell; a claim that stays ends by itself.
            let _ = forget.delete(&begun.key).await;
            Err(error)
        }
    }
}
