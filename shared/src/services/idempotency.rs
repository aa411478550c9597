//! Floor 2: idempotency: a retry with the same `Idempotency-Key` gets the first call's response (docs/contract.md, All
//! routes).

use rand::rngs::SysRng;

use crate::{
    domain::{
        auth::{access::Principal, client::Client},
        crypto::encryption::Unreadable,
        idempotency::{Body, IdempotencyRecord, InProgress, Issued, State, Storage},
        people::user::User,
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

/// The caller and the function called.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The function.
    pub function: &'static str,
    /// The caller's credential; empty for public routes.
    pub credential: &'a str,
}

/// Stores responses by `Idempotency-Key`.
#[derive(Debug, Wire)]
pub struct Idempotency {
    /// Claims keys and stores responses.
    pub calls: Table<IdempotencyRecord, Put>,
    /// Deletes claims.
    pub forget: Table<IdempotencyRecord, Delete>,
}

/// Whose responses a route returns, and where their owners are looked up before a response is replayed.
#[derive(Clone, Copy)]
pub enum Owners<'a> {
    /// No owner: every caller gets the same response, which reveals nothing and costs the same for known and unknown
    /// users.
    Public,
    /// Users own the responses.
    Users(&'a AnsweredUsers),
    /// Users or clients own the responses.
    UsersAndClients(&'a AnsweredUsers, &'a Table<Client, Get>),
}

/// The users who own responses.
#[derive(Debug, Wire)]
pub struct AnsweredUsers {
    /// Reads the owner before a response is replayed.
    pub read: Table<User, BatchGet>,
    /// A response is stored only while its user exists: erased data does not come back.
    pub depend_on: Table<User, Check>,
}

/// Runs a call once. A retry with the same key, credential and body gets the same response for a day, and nothing is
/// done again; while the first call is in progress, [`InProgress`]. A call that was refused or failed may be retried at
/// once. The claim of a crashed call expires, and the next retry takes it over; a call that is only late then neither
/// overwrites nor deletes the other's claim. Without a key, every call is a new one.
///
/// A stored response expires with its owner's tokens (R72): a later retry is processed as a new call.
///
/// `keeping` is how the response is stored. `credential` is the caller's own: no caller gets another one's response.
///
/// # Errors
/// Those of `answer`, and the three named above.
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
    let begun =
        IdempotencyRecord::begun(keeping.key(function, credential, given, call.body()?), &call.invocation, call.now);
    let release = || idempotency.forget.delete_if(&begun.key, is_taken_by(&call.invocation));
    let other = match claim(idempotency, owners, &begun, call).await {
        Ok(other) => other,
        Err(fault) => {
            // The claim may have been written although its answer was lost: a retry must not wait for it.
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
            // The work is done: a failure to store the response is only logged.
            Ok(match remembered.await {
                Ok(()) => answer,
                Err(fault) => answer.with_fault(fault),
            })
        }
        Err(error) => {
            // Report the first error; a claim that could not be deleted expires.
            let _ = release().await;
            Err(error)
        }
    }
}

/// An earlier call with the same key.
enum Other {
    InProgress(InProgress),
    Answered(u16, Body),
}

/// Claims the key unless another call has; takes over the claim of an expired response.
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
        // Another retry has taken it over just now.
        false => Some(Other::InProgress(begun.under_way(call.now))),
    })
}

/// Whether a response has expired with its owner's tokens. A response that needs an owner and has none has expired.
async fn has_ended(owners: Owners<'_>, issued: Option<&Issued>, call: &Call) -> Result<bool, Fault> {
    let owner = match (owners, issued) {
        (Owners::Public, None) => return Ok(false),
        (Owners::Users(users) | Owners::UsersAndClients(users, _), Some(Issued::User { id, .. })) => {
            let user = Batch::one(&users.read, id, call.now).await?;
            user.map(|user| Principal::User(Box::new(user)))
        }
        (Owners::UsersAndClients(_, clients), Some(Issued::Client { id, .. })) => {
            let client = clients.get(id, call.now).await?;
            client.map(|client| Principal::Client(Box::new(client)))
        }
        (Owners::Public, Some(_))
        | (Owners::Users(_) | Owners::UsersAndClients(..), None)
        | (Owners::Users(_), Some(Issued::Client { .. })) => None,
    };
    Ok(issued.is_none_or(|issued| issued.has_ended(owner.as_ref(), call.now)))
}

/// Stores the response; `false` when another call owns the claim, or the user's tokens have been revoked meanwhile.
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
        (Owners::Public, None) | (Owners::UsersAndClients(..), Some(Issued::Client { .. })) => {
            idempotency.calls.put_if(answered, is_ours).await
        }
        // A bug, and no reason to return a user's response to another caller.
        (Owners::Public, Some(_))
        | (Owners::Users(_) | Owners::UsersAndClients(..), None)
        | (Owners::Users(_), Some(Issued::Client { .. })) => {
            Err(Fault::Bug("an answer does not say whose it is, and is not remembered".into()))
        }
    }
}
