//! Floor 2: idempotency: a repetition of a call, recognised by its `Idempotency-Key`, gets the first one's answer (docs/contract.md, All routes).

use rand::rngs::SysRng;

use crate::{
    domain::{
        access::Principal,
        client::Client,
        encryption::Unreadable,
        idempotency::{Body, IdempotencyRecord, InProgress, Issued, State, Storage},
        user::User,
    },
    fault::Fault,
    http::{call::Call, rejection::Rejection, reply::Answer},
    runtime::edge::Wire,
    store::{
        rows::{
            idempotency::{is_taken_by, is_taken_by_either},
            user::has_generation,
        },
        table::{Batch, BatchGet, Check, Committed, Condition, Delete, Get, Put, Table, Transaction},
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

/// Remembers calls by their `Idempotency-Key`.
#[derive(Debug, Wire)]
pub struct Idempotency {
    /// Remembers.
    pub calls: Table<IdempotencyRecord, Put>,
    /// Forgets.
    pub forget: Table<IdempotencyRecord, Delete>,
}

/// Whose answers a route gives, and where these are looked up before an answer is given again.
#[derive(Clone, Copy)]
pub enum Owners<'a> {
    /// Nobody's: everybody gets the same answer, which tells nothing, and whose repetition costs the same for known and unknown.
    Nobody,
    /// Users'.
    Users(&'a AnsweredUsers),
    /// Users', or clients' own.
    UsersAndClients(&'a AnsweredUsers, &'a Table<Client, Get>),
}

/// Users who get answers.
#[derive(Debug, Wire)]
pub struct AnsweredUsers {
    /// They are read before an answer is given again.
    pub read: Table<User, BatchGet>,
    /// An answer is remembered only while its user is there: what an erasure has deleted does not come back.
    pub depend_on: Table<User, Check>,
}

/// Answers a call once. One with the same key, credential and body gets the same answer again for a day, and nothing is
/// done; while the first one is under way, [`InProgress`]. A call that was refused or failed may be tried again at once. The
/// claim of a call whose process died expires, and the next repetition takes it over; a process that is only late then
/// neither overwrites nor deletes what belongs to the other one. Without a key, every call is another one.
///
/// A remembered answer ends with its owner's tokens (R72): a repetition after that is judged anew, as if there had been none.
///
/// `keeping` says how the answer is remembered. `credential` is what the caller proves who it is with: nobody gets an answer that was another one's.
///
/// # Errors
/// Those of `answer`, and the three named.
pub async fn run_once<E>(
    idempotency: &Idempotency,
    owners: Owners<'_>,
    keeping: Storage<'_>,
    call: &Call,
    Caller { function, credential }: Caller<'_>,
    answer: impl Future<Output = Result<Answer, E>>,
) -> Result<Answer, E>
where
    E: From<Rejection> + From<Fault> + From<InProgress>,
{
    let Some(given) = call.idempotency_key()? else {
        return answer.await;
    };
    let begun = IdempotencyRecord::begun(
        keeping.key(function, credential, given, call.body()?),
        &call.invocation,
        call.now,
    );
    let release = || idempotency.forget.delete_if(&begun.key, is_taken_by(&call.invocation));
    let other = match claim(idempotency, owners, &begun, call).await {
        Ok(other) => other,
        Err(fault) => {
            // The claim may have been written and only the answer lost: a healthy retry shall not wait for it.
            let _ = release().await;
            return Err(fault.into());
        }
    };
    match other {
        None => {}
        Some(Other::InProgress(under_way)) => return Err(under_way.into()),
        Some(Other::Answered(status, body)) => {
            return match keeping.open(&begun.key, &body) {
                Ok(body) => Ok(Answer::repeated(status, body)),
                Err(Unreadable) => Err(Fault::Corrupt("a remembered answer does not open".into()).into()),
            };
        }
    }
    match answer.await {
        Ok(answer) => {
            let (status, body) = answer.content();
            let remembered = async {
                let body = keeping.close(&begun.key, body, &mut SysRng)?;
                let issued = answer.ends_with().cloned();
                let answered = begun.clone().answered(status, body, issued, call.now);
                match remember(idempotency, owners, &answered, is_taken_by(&call.invocation)).await? {
                    true => Ok(()),
                    false => release().await,
                }
            };
            // What was done is done: that it could not be remembered is for the log.
            Ok(match remembered.await {
                Ok(()) => answer,
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

/// A call that came before with the same key.
enum Other {
    InProgress(InProgress),
    Answered(u16, Body),
}

/// Claims the call, unless another one has; the claim of one whose answer has ended is taken over.
async fn claim(
    idempotency: &Idempotency,
    owners: Owners<'_>,
    begun: &IdempotencyRecord,
    call: &Call,
) -> Result<Option<Other>, Fault> {
    let Some(other) = idempotency.calls.claim(begun, call.now).await? else {
        return Ok(None);
    };
    let (status, body, issued) = match other.state {
        State::InProgress => return Ok(Some(Other::InProgress(other.under_way(call.now)))),
        State::Answered { status, body, issued } => (status, body, issued),
    };
    if !has_ended(owners, issued.as_ref(), call).await? {
        return Ok(Some(Other::Answered(status, body)));
    }
    let is_as_found = is_taken_by_either(&other.by, &begun.by);
    Ok(match idempotency.calls.put_if(begun, is_as_found).await? {
        true => None,
        // Another repetition has taken it over in this moment.
        false => Some(Other::InProgress(begun.under_way(call.now))),
    })
}

/// Whether an answer has ended with its owner's tokens. One that must be somebody's, and says of nobody that it is, has.
async fn has_ended(owners: Owners<'_>, issued: Option<&Issued>, call: &Call) -> Result<bool, Fault> {
    let owner = match (owners, issued) {
        (Owners::Nobody, None) => return Ok(false),
        (Owners::Users(users) | Owners::UsersAndClients(users, _), Some(Issued::User { id, .. })) => {
            let user = Batch::one(&users.read, id, call.now).await?;
            user.map(|user| Principal::User(Box::new(user)))
        }
        (Owners::UsersAndClients(_, clients), Some(Issued::Client { id, .. })) => {
            let client = clients.get(id, call.now).await?;
            client.map(|client| Principal::Client(Box::new(client)))
        }
        (Owners::Nobody, Some(_))
        | (Owners::Users(_) | Owners::UsersAndClients(..), None)
        | (Owners::Users(_), Some(Issued::Client { .. })) => None,
    };
    Ok(issued.is_none_or(|issued| issued.has_ended(owner.as_ref(), call.now)))
}

/// Writes down what was answered; `false` when the claim is another one's, or the user's tokens have ended meanwhile.
async fn remember(
    idempotency: &Idempotency,
    owners: Owners<'_>,
    answered: &IdempotencyRecord,
    is_ours: Condition,
) -> Result<bool, Fault> {
    let issued = match &answered.state {
        State::InProgress => None,
        State::Answered { issued, .. } => issued.as_ref(),
    };
    match (owners, issued) {
        (Owners::Users(users) | Owners::UsersAndClients(users, _), Some(Issued::User { id, generation, .. })) => {
            let mut transaction = Transaction::default();
            transaction.put_if(&idempotency.calls, answered, is_ours);
            transaction.check(&users.depend_on, id, has_generation(*generation));
            Ok(matches!(transaction.commit().await?, Committed::Yes))
        }
        (Owners::Nobody, None) | (Owners::UsersAndClients(..), Some(Issued::Client { .. })) => {
            idempotency.calls.put_if(answered, is_ours).await
        }
        // A bug, and no reason to give somebody's answer to somebody else.
        (Owners::Nobody, Some(_))
        | (Owners::Users(_) | Owners::UsersAndClients(..), None)
        | (Owners::Users(_), Some(Issued::Client { .. })) => Err(Fault::Bug(
            "an answer does not say whose it is, and is not remembered".into(),
        )),
    }
}
