//! Floor 2: who may pass. One read for the caller's token, its owner and, where a route names one, another user.

use crate::{
    domain::{
        access::{self, Caller, Principal, Refusal},
        client::Client,
        factor::{Factor, FactorKey, FactorType},
        id::{FactorId, UserId},
        scope::Needed,
        token::{Owner, Presented, Token},
        user::User,
    },
    fault::Fault,
    http::call::Call,
    store::table::{Batch, BatchGet, Table},
};

/// Whether a caller passes, or why not; [`Fault`] when the store fails.
pub type Admission<T> = Result<Result<T, Refusal>, Fault>;

/// A person who may pass.
#[derive(Debug)]
pub struct Person {
    /// Who.
    pub user: User,
    /// The user that the route names, if there is one of that id.
    pub named: Option<User>,
}

/// Admits a person, and reads the user that the route names in the same call.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn person(
    tokens: &Table<Token, BatchGet>,
    users: &Table<User, BatchGet>,
    call: &Call,
    token: Option<&str>,
    needed: Needed,
    named: Option<UserId>,
) -> Admission<Person> {
    let presented = match present(token) {
        Ok(presented) => presented,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut batch = Batch::default();
    batch.want(tokens, &presented.digest);
    let owner = match &presented.owner {
        Owner::User(id) => *id,
        Owner::Client(_) => {
            let token = known(&batch.read().await?, tokens, &presented, call)?;
            return Ok(Err(access::check_ownerless(token, needed, call.now)));
        }
    };
    for id in [Some(owner), named].into_iter().flatten() {
        batch.want(users, &id);
    }
    let found = batch.read().await?;
    let user = |id: UserId| found.take(users, &id, call.now);
    let named = named.map_or(Ok(None), user)?;
    let principal = user(owner)?.map(|user| Principal::User(Box::new(user)));
    let token = known(&found, tokens, &presented, call)?;
    Ok(
        access::check(token, principal, needed, call.now).and_then(|caller| match caller.principal {
            Principal::User(user) => Ok(Person { user: *user, named }),
            Principal::Client(_) => Err(Refusal::UnknownToken),
        }),
    )
}

/// Where callers are looked up.
#[derive(Clone, Copy)]
pub struct Doors<'a> {
    /// Tokens.
    pub tokens: &'a Table<Token, BatchGet>,
    /// People.
    pub users: &'a Table<User, BatchGet>,
    /// Applications.
    pub clients: &'a Table<Client, BatchGet>,
}

/// Admits a caller in a client's name: the client itself, or a person with a token that was issued to it. What is wanted
/// besides is read in the same call.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn caller(
    doors: Doors<'_>,
    call: &Call,
    needed: Needed,
    want: impl FnOnce(&mut Batch),
) -> Admission<(Caller, Batch)> {
    let presented = match present(call.bearer()) {
        Ok(presented) => presented,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut batch = Batch::default();
    batch.want(doors.tokens, &presented.digest);
    match &presented.owner {
        Owner::User(id) => batch.want(doors.users, id),
        Owner::Client(id) => batch.want(doors.clients, id),
    }
    want(&mut batch);
    let found = batch.read().await?;
    let token = known(&found, doors.tokens, &presented, call)?;
    let principal = match &presented.owner {
        Owner::User(id) => found
            .take(doors.users, id, call.now)?
            .map(|user| Principal::User(Box::new(user))),
        Owner::Client(id) => found
            .take(doors.clients, id, call.now)?
            .map(|client| Principal::Client(Box::new(client))),
    };
    Ok(access::check(token, principal, needed, call.now).map(|caller| (caller, found)))
}

/// The token's row, if there is one. Whoever holds the token is then known to the log, whatever becomes of the call.
fn known(
    found: &Batch,
    tokens: &Table<Token, BatchGet>,
    presented: &Presented,
    call: &Call,
) -> Result<Option<Token>, Fault> {
    let token = found.take(tokens, &presented.digest, call.now)?;
    if token.is_some() {
        call.note_actor(match &presented.owner {
            Owner::User(id) => format!("user:{}", id.text()),
            Owner::Client(id) => format!("client:{}", id.as_str()),
        });
    }
    Ok(token)
}

fn present(token: Option<&str>) -> Result<Presented, Refusal> {
    Presented::parse(token.ok_or(Refusal::NoToken)?).ok_or(Refusal::UnknownToken)
}

/// Reads the user that a route names, if its text can be an id.
pub fn named(users: &Table<User, BatchGet>, id: Option<UserId>) -> impl FnOnce(&mut Batch) {
    move |batch| {
        if let Some(id) = id {
            batch.want(users, &id);
        }
    }
}

/// The user that a route names, if there is one.
///
/// # Errors
/// [`Fault`] when the row is not as we write it.
pub fn take(
    found: &Batch,
    users: &Table<User, BatchGet>,
    id: Option<UserId>,
    call: &Call,
) -> Result<Option<User>, Fault> {
    id.map_or(Ok(None), |id| found.take(users, &id, call.now))
}

/// What a route names that ends in a factor's id.
#[derive(Debug)]
pub struct NamedFactor {
    /// The user, if there is one of that id.
    pub user: Option<User>,
    /// The user's factor, if it has that id.
    pub factor: Option<Factor>,
}

/// Admits a caller as [`caller`] does, and reads the user and the factor that the route names (`user_id` and `id`).
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn factor(
    doors: Doors<'_>,
    factors: &Table<Factor, BatchGet>,
    call: &Call,
    needed: Needed,
) -> Admission<(Caller, NamedFactor)> {
    let user = UserId::parse(call.path_parameter("user_id"));
    let id = FactorId::parse(call.path_parameter("id"));
    // A user has one factor of each kind: they are read, and the one of that id is taken.
    let keys: Vec<_> = user
        .into_iter()
        .flat_map(|user| FactorType::ALL.iter().map(move |factor_type| (user, *factor_type)))
        .map(|(user, factor_type)| FactorKey { user, factor_type })
        .collect();
    let admitted = caller(doors, call, needed, |batch| {
        named(doors.users, user)(batch);
        keys.iter().for_each(|key| batch.want(factors, key));
    });
    let (caller, found) = match admitted.await? {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(user) = user {
        call.note_subject(format!("user:{}", user.text()));
    }
    let mut factor = None;
    for key in &keys {
        let one = found.take(factors, key, call.now)?;
        factor = factor.or(one.filter(|one| Some(one.id) == id));
    }
    let user = take(&found, doors.users, user, call)?;
    Ok(Ok((caller, NamedFactor { user, factor })))
}
