//! Floor 2: authentication and authorization of callers. One read for the caller's token, its owner and, if a route
//! names one, another user.

use crate::{
    domain::{
        auth::{
            access::{self, AdminFactor, Caller, Principal, Refusal},
            client::Client,
            provider::Provider,
            scope::Needed,
            token::{Owner, Presented, Token},
        },
        people::{
            factor::{Factor, FactorType},
            id::{ClientId, UserId, UserNumber},
            user::User,
        },
        support_pin::{Holder, Owner as PinOwner},
    },
    fault::Fault,
    http::call::Call,
    runtime::edge::Wire,
    store::table::{Batch, BatchGet, Table},
};

/// The admitted caller, or why the caller was refused; [`Fault`] when the store fails.
pub type Admission<T> = Result<Result<T, Refusal>, Fault>;

/// An authenticated user.
#[derive(Debug)]
pub struct Person {
    /// The caller.
    pub user: User,
    /// The user that the route names, if one with that id exists.
    pub named: Option<User>,
    /// Whether a second factor completed the user's login (see [`Caller::second_factor`]).
    pub second_factor: bool,
}

/// Authenticates a user, and reads the user that the route names in the same call.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn user(
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
    Ok(access::check(token, principal, needed, call.now).and_then(|caller| match caller.principal {
        Principal::User(user) => Ok(Person {
            user: *user,
            named,
            second_factor: caller.second_factor,
        }),
        Principal::Client(_) => Err(Refusal::UnknownToken),
    }))
}

/// Authenticates users, by our own tokens or by the identity provider's; the latter needs no read.
#[derive(Debug, Wire)]
pub struct Users {
    /// The identity provider, if configured.
    #[wire(identity_provider)]
    pub provider: Option<Provider>,
    /// Our own tokens.
    pub tokens: Table<Token, BatchGet>,
    /// Users.
    pub users: Table<User, BatchGet>,
    /// Whether administrators need a second factor.
    #[wire(admin_factor)]
    pub admin_factor: AdminFactor,
}

/// Authenticates a caller of the support PIN routes. `token` is used without a provider; `named` is the user that the
/// route names.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn pin_caller(
    users: &Users,
    call: &Call,
    token: Option<&str>,
    needed: Needed,
    named: Option<&str>,
) -> Admission<Holder> {
    if let Some(provider) = &users.provider {
        return Ok(vouched_holder(provider, call, needed, named));
    }
    let id = named.and_then(|named| UserId::parse(named).or_else(|| numbered(named, token)));
    let person = match user(&users.tokens, &users.users, call, token, needed, id).await? {
        Ok(person) => person,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(id) = id {
        call.log_subject(id.log_name());
    }
    let Person {
        mut user,
        named,
        second_factor,
    } = person;
    // The identity provider decides that for its own users.
    user.is_admin &= users.admin_factor.admits(second_factor);
    let named = named.filter(|named| user.administers(named));
    Ok(Ok(Holder {
        is_admin: user.is_admin,
        own: PinOwner::Ours(Box::new(user)),
        named: named.map(|named| PinOwner::Ours(Box::new(named))),
    }))
}

/// The user with that number in the caller's domain, which the token's text names before anything is read. The key of
/// the token's row is a digest of the whole text: with another domain in it there is no such row, and the caller is
/// refused.
fn numbered(number: &str, token: Option<&str>) -> Option<UserId> {
    let number = UserNumber::parse(number)?;
    let presented = Presented::parse(token?)?;
    Some(UserId::of_number(presented.domain?, number))
}

/// All users of a provider are one tenant, and a user whom it names is assumed to exist: only the provider knows.
fn vouched_holder(provider: &Provider, call: &Call, needed: Needed, named: Option<&str>) -> Result<Holder, Refusal> {
    let claims = call.claims.as_ref().ok_or(Refusal::NoToken)?;
    let id = provider.user(claims)?;
    call.log_actor(id.log_name());
    provider.check(claims, needed)?;
    let named = named.map(|name| provider.user_named(name));
    if let Some(id) = named {
        call.log_subject(id.log_name());
    }
    Ok(Holder {
        own: PinOwner::Provided(id),
        is_admin: provider.is_admin(claims),
        named: named.map(PinOwner::Provided),
    })
}

/// Authenticates a caller in a client's name, as [`caller`] does or by the identity provider, if configured.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn client(clients: &Clients, call: &Call, needed: Needed) -> Admission<ClientId> {
    Ok(client_with(clients, call, needed, |_| {}).await?.map(|(client, _)| client))
}

/// Like [`client`]. Other rows that the endpoint wants are read in the same call, or in a call of their own if the
/// identity provider authenticates the caller.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn client_with(
    clients: &Clients,
    call: &Call,
    needed: Needed,
    want: impl FnOnce(&mut Batch),
) -> Admission<(ClientId, Batch)> {
    let Some(provider) = &clients.provider else {
        let admitted = caller(&clients.callers, call, needed, want).await?;
        return Ok(admitted.map(|(caller, found)| (caller.client, found)));
    };
    let client = match vouched_client(provider, call, needed) {
        Ok(client) => client,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut batch = Batch::default();
    want(&mut batch);
    Ok(Ok((client, batch.read().await?)))
}

fn vouched_client(provider: &Provider, call: &Call, needed: Needed) -> Result<ClientId, Refusal> {
    let claims = call.claims.as_ref().ok_or(Refusal::NoToken)?;
    let client = provider.client(claims)?;
    call.log_actor(client.log_name());
    provider.check(claims, needed)?;
    Ok(client)
}

/// Authenticates callers, by our own tokens.
#[derive(Debug, Wire)]
pub struct Callers {
    /// Tokens.
    pub tokens: Table<Token, BatchGet>,
    /// Users.
    pub users: Table<User, BatchGet>,
    /// Clients.
    pub clients: Table<Client, BatchGet>,
    /// Whether administrators need a second factor.
    #[wire(admin_factor)]
    pub admin_factor: AdminFactor,
}

/// Authenticates clients, by our own tokens or by the identity provider's; the latter needs no read.
#[derive(Debug, Wire)]
pub struct Clients {
    /// The identity provider, if configured.
    #[wire(identity_provider)]
    pub provider: Option<Provider>,
    /// Authenticates by our own tokens.
    pub callers: Callers,
}

/// Authenticates a caller in a client's name: the client itself, or a user with a token issued to it. Other rows that
/// the endpoint wants are read in the same call.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn caller(
    callers: &Callers,
    call: &Call,
    needed: Needed,
    want: impl FnOnce(&mut Batch),
) -> Admission<(Caller, Batch)> {
    let presented = match present(call.bearer()) {
        Ok(presented) => presented,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut batch = Batch::default();
    batch.want(&callers.tokens, &presented.digest);
    match &presented.owner {
        Owner::User(id) => batch.want(&callers.users, id),
        Owner::Client(id) => batch.want(&callers.clients, id),
    }
    want(&mut batch);
    let found = batch.read().await?;
    let token = known(&found, &callers.tokens, &presented, call)?;
    let principal = match &presented.owner {
        Owner::User(id) => found.take(&callers.users, id, call.now)?.map(|user| Principal::User(Box::new(user))),
        Owner::Client(id) => {
            found.take(&callers.clients, id, call.now)?.map(|client| Principal::Client(Box::new(client)))
        }
    };
    let admitted = access::check(token, principal, needed, call.now);
    Ok(admitted.map(|caller| (caller.under(callers.admin_factor), found)))
}

/// The token's row, if it exists. From here on, log lines name the token's holder, even if the call is refused.
fn known(
    found: &Batch,
    tokens: &Table<Token, BatchGet>,
    presented: &Presented,
    call: &Call,
) -> Result<Option<Token>, Fault> {
    let token = found.take(tokens, &presented.digest, call.now)?;
    if token.is_some() {
        call.log_actor(presented.owner.log_name());
    }
    Ok(token)
}

fn present(token: Option<&str>) -> Result<Presented, Refusal> {
    Presented::parse(token.ok_or(Refusal::NoToken)?).ok_or(Refusal::UnknownToken)
}

/// Authenticates a caller as [`caller`] does, and reads the user that the route names (`user_id`), if it exists.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn target_user(callers: &Callers, call: &Call, needed: Needed) -> Admission<(Caller, Option<User>)> {
    let id = UserId::parse(call.path_parameter("user_id"));
    let admitted = caller(callers, call, needed, |batch| {
        id.iter().for_each(|id| batch.want(&callers.users, id));
    });
    let (caller, found) = match admitted.await? {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let user = named(&found, &callers.users, id, call)?;
    Ok(Ok((caller, user)))
}

/// Like [`target_user`], and reads the user's second factors.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn target_factors(
    callers: &Callers,
    factors: &Table<Factor, BatchGet>,
    call: &Call,
    needed: Needed,
) -> Admission<(Caller, Option<User>, Vec<Factor>)> {
    let id = UserId::parse(call.path_parameter("user_id"));
    let key = |user| FactorType::ALL.iter().map(move |factor_type| factor_type.of(user));
    let keys: Vec<_> = id.into_iter().flat_map(key).collect();
    let admitted = caller(callers, call, needed, |batch| {
        id.iter().for_each(|id| batch.want(&callers.users, id));
        keys.iter().for_each(|key| batch.want(factors, key));
    });
    let (caller, found) = match admitted.await? {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let user = named(&found, &callers.users, id, call)?;
    let read = keys.iter().map(|key| found.take(factors, key, call.now));
    let factors: Result<Vec<_>, _> = read.collect();
    Ok(Ok((caller, user, factors?.into_iter().flatten().collect())))
}

fn named(found: &Batch, users: &Table<User, BatchGet>, id: Option<UserId>, call: &Call) -> Result<Option<User>, Fault> {
    let user = id.map_or(Ok(None), |id| found.take(users, &id, call.now))?;
    if let Some(user) = &user {
        call.log_subject(user.id.log_name());
    }
    Ok(user)
}
