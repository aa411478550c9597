//! Floor 2: calls that come again, told by their `Idempotency-Key` (contracts.md §5).

use rand::rngs::SysRng;

use crate::{
    domain::{
        repetition::{Keeping, Remembered, State, UnderWay},
        seal::Unreadable,
    },
    fault::Fault,
    http::{call::Call, rejection::Rejection, reply::Answer},
    store::{
        rows::repetition::is_taken_by,
        table::{Delete, Put, Table},
    },
};

/// Who calls what.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The function.
    pub function: &'static str,
    /// What the caller proves who it is with; empty for the public.
    pub credential: &'a str,
}

/// Answers a call once. One with the same key, credential and body gets the same answer again for a day, and nothing is
/// done; while the first one is under way, [`UnderWay`]. A call that was refused or failed may be tried again at once. The
/// claim of a call whose process died expires, and the next repetition takes it over; a process that is only late then
/// neither overwrites nor deletes what belongs to the other one. Without a key, every call is another one.
///
/// `keeping` says how the answer is remembered. `credential` is what the caller proves who it is with: nobody gets an answer that was another one's.
///
/// # Errors
/// Those of `answer`, and the three named.
pub async fn once<E>(
    calls: &Table<Remembered, Put>,
    forget: &Table<Remembered, Delete>,
    keeping: Keeping<'_>,
    call: &Call,
    Caller { function, credential }: Caller<'_>,
    answer: impl Future<Output = Result<Answer, E>>,
) -> Result<Answer, E>
where
    E: From<Rejection> + From<Fault> + From<UnderWay>,
{
    let Some(given) = call.idempotency_key()? else {
        return answer.await;
    };
    let begun = Remembered::begun(
        keeping.key(function, credential, given, call.body()?),
        &call.invocation,
        call.now,
    );
    let release = || forget.delete_if(&begun.key, is_taken_by(&call.invocation));
    let other = match calls.claim(&begun, call.now).await {
        Ok(other) => other,
        Err(fault) => {
            // The claim may have been written and only the answer lost: a healthy retry shall not wait for it.
            let _ = release().await;
            return Err(fault.into());
        }
    };
    if let Some(other) = other {
        return match other.state {
            State::UnderWay => Err(other.under_way(call.now).into()),
            State::Answered { status, body } => match keeping.open(&begun.key, &body) {
                Ok(body) => Ok(Answer::repeated(status, body)),
                Err(Unreadable) => Err(Fault::new("a remembered answer does not open".into()).into()),
            },
        };
    }
    match answer.await {
        Ok(answer) => {
            let (status, body) = answer.content();
            let remembered = async {
                let body = keeping.close(&begun.key, body, &mut SysRng)?;
                let answered = begun.clone().answered(status, body, call.now);
                calls.put_if(&answered, is_taken_by(&call.invocation)).await
            };
            // What was done is done: that it could not be remembered is for the log.
            Ok(match remembered.await {
                Ok(_) => answer,
                Err(fault) => answer.with_fault(fault),
            })
        }
        Err(error) => {
            // The first error is the one to tell; a claim that stays ends by itself.
            let _ = release().await;
            Err(error)
        }
    }
}
