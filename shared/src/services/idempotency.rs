//! Floor 2: idempotency: a retry with the same `Idempotency-Key` gets the first call's response (docs/contract.md, All
//! routes).

use std::cell::Cell;

use rand::rngs::SysRng;

use crate::{
    domain::{
        auth::{access::Principal, client::Client},
        crypto::encryption::Unreadable,
        idempotency::{Body, IdempotencyRecord, InProgress, Issued, State, Storage},
        limits::rate_limit::Hit,
        people::user::User,
        time::Timestamp,
    },
    fault::Fault,
    http::{call::Call, rejection::Rejection, reply::Answer},
    runtime::edge::Wire,
    store::{
        retry::Rounds,
        rows::{
            idempotency::{is_claimed_by, is_taken_by, is_taken_by_either},
            user::has_generation,
        },
        table::{Batch, BatchGet, Check, Committed, Delete, Get, Put, Table, Transaction},
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

/// Stores responses by `Idempotency-Key`, for calls that send a message or may do so: the key is claimed first.
#[derive(Debug, Wire)]
pub struct Idempotency {
    /// Claims keys and stores responses.
    pub calls: Table<IdempotencyRecord, Put>,
    /// Deletes claims.
    pub forget: Table<IdempotencyRecord, Delete>,
}

/// Stores responses by `Idempotency-Key`, for calls whose only effect is one transaction: the response is part of it, so
/// that neither is there without the other, and no claim blocks a retry.
#[derive(Debug, Wire)]
pub struct IdempotentWrites {
    /// Stores responses.
    pub calls: Table<IdempotencyRecord, Put>,
    /// Reads stored responses.
    pub read: Table<IdempotencyRecord, Get>,
}

/// One call with its key, if it has one: stores the response with the writes that it reports.
pub struct Once<'a> {
    record: Option<(&'a Table<IdempotencyRecord, Put>, &'a IdempotencyRecord)>,
    storage: Storage<'a>,
    now: Timestamp,
    /// What the response replaces.
    earlier: Earlier,
    is_stored: Cell<bool>,
}

/// What is stored under a call's key before its response.
enum Earlier {
    /// Nothing.
    Nothing,
    /// This call's claim.
    Claim,
    /// The response of an earlier call, which has expired with its owner's tokens; its invocation.
    Ended(String),
}

impl<'a> Once<'a> {
    fn new(
        calls: &'a Table<IdempotencyRecord, Put>,
        begun: Option<&'a IdempotencyRecord>,
        storage: Storage<'a>,
        call: &Call,
        earlier: Earlier,
    ) -> Self {
        Self {
            record: begun.map(|begun| (calls, begun)),
            storage,
            now: call.now,
            earlier,
            is_stored: Cell::new(false),
        }
    }

    /// Adds the response to the transaction whose outcome it reports. A call that has claimed its key notes that the
    /// transaction was applied: [`Self::note_stored`].
    ///
    /// # Errors
    /// [`Fault`] when the random generator fails.
    pub fn store(&self, transaction: &mut Transaction, answer: &Answer) -> Result<(), Fault> {
        let Some((calls, begun)) = self.record else {
            return Ok(());
        };
        let answered = answered(begun, self.storage, answer, self.now)?;
        match &self.earlier {
            Earlier::Nothing => transaction.put_new(calls, &answered, self.now),
            Earlier::Claim => transaction.put_if(calls, &answered, is_taken_by(&begun.by)),
            Earlier::Ended(by) => transaction.put_if(calls, &answered, is_taken_by(by)),
        };
        Ok(())
    }

    /// Notes that the response is stored; otherwise it is stored by itself.
    pub fn note_stored(&self) {
        self.is_stored.set(true);
    }

    /// The call as rate limits of messages count it. Repetitions with the same key count once: what a killed call has
    /// used does not limit its repetition, and a success is not processed again.
    #[must_use]
    pub fn hit(&self, call: &Call) -> Hit {
        let Some((_, begun)) = self.record else {
            return call.hit();
        };
        Hit {
            by: begun.key.iter().take(16).map(|byte| format!("{byte:02x}")).collect(),
            ..call.hit()
        }
    }
}

fn answered(
    begun: &IdempotencyRecord,
    storage: Storage<'_>,
    answer: &Answer,
    now: Timestamp,
) -> Result<IdempotencyRecord, Fault> {
    let (status, body) = answer.content();
    let body = storage.close(&begun.key, body, &mut SysRng)?;
    Ok(begun.clone().answered(status, body, answer.ends_with().cloned(), now))
}

/// Whose responses a route returns, and where their owners are looked up before a response is replayed.
#[derive(Clone, Copy)]
pub enum Owners<'a> {
    /// No owner: every caller gets the same response, which reveals nothing and costs the same for known and unknown
    /// users.
    Public,
    /// Users own the responses.
    Users(&'a AnsweredUsers),
    /// Users own the responses, which are stored in transactions that depend on the user already.
    UsersWritten(&'a Table<User, BatchGet>),
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
/// `storage` is how the response is stored. `credential` is the caller's own: no caller gets another one's response.
///
/// # Errors
/// Those of `answer`, and the three named above.
pub async fn run_once<E>(
    idempotency: &Idempotency,
    owners: Owners<'_>,
    storage: Storage<'_>,
    call: &Call,
    caller: Caller<'_>,
    answer: impl AsyncFnOnce(&Once<'_>) -> Result<Answer, E>,
) -> Result<Answer, E>
where
    E: From<Rejection> + From<Fault> + From<InProgress>,
{
    let begun = begun(storage, call, caller)?;
    let once = Once::new(&idempotency.calls, begun.as_ref(), storage, call, Earlier::Claim);
    let Some(begun) = &begun else {
        return answer(&once).await;
    };
    let release = || idempotency.forget.delete_if(&begun.key, is_claimed_by(&call.invocation));
    let other = match claim(idempotency, owners, begun, call).await {
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
        Some(Other::Answered(status, body)) => return Ok(replayed(storage, begun, status, &body)?),
    }
    match answer(&once).await {
        Ok(answer) if once.is_stored.get() => Ok(answer),
        Ok(answer) => {
            let remembered = async {
                let answered = answered(begun, storage, &answer, call.now)?;
                match remember(idempotency, owners, &answered, call).await? {
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
            // Report the first error; a claim that could not be deleted expires. A stored response stays: its transaction
            // was applied although every answer was lost.
            let _ = release().await;
            Err(error)
        }
    }
}

/// Runs a call like [`run_once`], whose only effect is one transaction, in which it stores its response
/// ([`Once::store`]). Of concurrent calls one is applied, and all get its response. A call whose transaction was applied
/// and whose answers were lost may be repeated, and gets the response of the first.
///
/// # Errors
/// Those of `answer`; [`Rejection`] for a malformed key; [`Fault`] when the store fails.
pub async fn run_in_transaction<E>(
    idempotency: &IdempotentWrites,
    owners: Owners<'_>,
    storage: Storage<'_>,
    call: &Call,
    caller: Caller<'_>,
    answer: impl AsyncFnOnce(&Once<'_>) -> Result<Answer, E>,
) -> Result<Answer, E>
where
    E: From<Rejection> + From<Fault>,
{
    let begun = begun(storage, call, caller)?;
    let mut once = Once::new(&idempotency.calls, begun.as_ref(), storage, call, Earlier::Nothing);
    let Some(begun) = &begun else {
        return answer(&once).await;
    };
    match stored(idempotency, owners, begun, call).await? {
        Stored::Nothing => {}
        Stored::Ended(by) => once.earlier = Earlier::Ended(by),
        Stored::Answered(status, body) => return Ok(replayed(storage, begun, status, &body)?),
    }
    match answer(&once).await {
        Ok(answer) => Ok(answer),
        // It may have been applied, by this call or by a concurrent one.
        Err(error) => match stored(idempotency, owners, begun, call).await {
            Ok(Stored::Answered(status, body)) => Ok(replayed(storage, begun, status, &body)?),
            Ok(Stored::Nothing | Stored::Ended(_)) | Err(_) => Err(error),
        },
    }
}

/// The record of a call that begins; `None` for one without a key.
fn begun(
    storage: Storage<'_>,
    call: &Call,
    Caller { function, credential }: Caller<'_>,
) -> Result<Option<IdempotencyRecord>, Rejection> {
    let Some(given) = call.idempotency_key()? else {
        return Ok(None);
    };
    let key = storage.key(function, credential, given, call.body()?);
    Ok(Some(IdempotencyRecord::begun(key, &call.invocation, call.now)))
}

/// What is stored of an earlier call.
enum Stored {
    Nothing,
    /// A response that has expired with its owner's tokens, and its invocation.
    Ended(String),
    Answered(u16, Body),
}

async fn stored(
    idempotency: &IdempotentWrites,
    owners: Owners<'_>,
    begun: &IdempotencyRecord,
    call: &Call,
) -> Result<Stored, Fault> {
    let Some(found) = idempotency.read.get(&begun.key, call.now).await? else {
        return Ok(Stored::Nothing);
    };
    let State::Answered { status, body, issued } = found.state else {
        return Ok(Stored::Nothing);
    };
    Ok(match has_ended(owners, issued.as_ref(), call).await? {
        true => Stored::Ended(found.by),
        false => Stored::Answered(status, body),
    })
}

fn replayed(storage: Storage<'_>, begun: &IdempotencyRecord, status: u16, body: &Body) -> Result<Answer, Fault> {
    match storage.open(&begun.key, body) {
        Ok(body) => Ok(Answer::repeated(status, body)),
        Err(Unreadable) => Err(Fault::Corrupt("a remembered answer does not open".into())),
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
        (
            Owners::Users(AnsweredUsers { read, .. })
            | Owners::UsersAndClients(AnsweredUsers { read, .. }, _)
            | Owners::UsersWritten(read),
            Some(Issued::User { id, .. }),
        ) => {
            let user = Batch::one(read, id, call.now).await?;
            user.map(|user| Principal::User(Box::new(user)))
        }
        (Owners::UsersAndClients(_, clients), Some(Issued::Client { id, .. })) => {
            let client = clients.get(id, call.now).await?;
            client.map(|client| Principal::Client(Box::new(client)))
        }
        (Owners::Public, Some(_))
        | (Owners::Users(_) | Owners::UsersWritten(_) | Owners::UsersAndClients(..), None)
        | (Owners::Users(_) | Owners::UsersWritten(_), Some(Issued::Client { .. })) => None,
    };
    Ok(issued.is_none_or(|issued| issued.has_ended(owner.as_ref(), call.now)))
}

/// Attempts at storing a response: without it, a repetition would send another message.
const REMEMBERING: u32 = 3;

/// Stores the response; `false` when another call owns the claim, or the user's tokens have been revoked meanwhile.
async fn remember(
    idempotency: &Idempotency,
    owners: Owners<'_>,
    answered: &IdempotencyRecord,
    call: &Call,
) -> Result<bool, Fault> {
    let issued = match &answered.state {
        State::InProgress => None,
        State::Answered { issued, .. } => issued.as_ref(),
    };
    let owner = match (owners, issued) {
        (Owners::Users(users) | Owners::UsersAndClients(users, _), Some(Issued::User { id, generation, .. })) => {
            Some((users, id, *generation))
        }
        (Owners::Public, None) | (Owners::UsersAndClients(..), Some(Issued::Client { .. })) => None,
        // A bug, and no reason to return a user's response to another caller.
        (Owners::Public, Some(_))
        | (Owners::UsersWritten(_), _)
        | (Owners::Users(_) | Owners::UsersAndClients(..), None)
        | (Owners::Users(_), Some(Issued::Client { .. })) => {
            return Err(Fault::Bug("an answer does not say whose it is, and is not remembered".into()));
        }
    };
    let mut last = Fault::Contended("the response was not stored".into());
    let mut rounds = Rounds::new(REMEMBERING);
    while rounds.begin().await {
        let is_ours = is_taken_by(&call.invocation);
        let stored = match owner {
            Some((users, id, generation)) => {
                let mut transaction = Transaction::default();
                transaction.put_if(&idempotency.calls, answered, is_ours);
                transaction.check(&users.depend_on, id, has_generation(generation));
                transaction.commit().await.map(|committed| matches!(committed, Committed::Yes))
            }
            None => idempotency.calls.put_if(answered, is_ours).await,
        };
        match stored {
            Err(fault) if fault.is_transient() => last = fault,
            decided => return decided,
        }
    }
    Err(last)
}
