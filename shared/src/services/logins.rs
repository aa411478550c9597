//! Floor 2: a login that waits for its second factor. Everything it depends on is read in one call; the effects of a
//! guess are written in one transaction, on condition that nothing has changed since (optimistic locking).

use futures_util::future::LocalBoxFuture;
use rand::rngs::SysRng;

use crate::{
    domain::{
        auth::{
            access::{self, LoginRefusal},
            scope::Scope,
            token::{Grant, Kind, Owner, Presented, Session, Token},
        },
        crypto::secret::Secret,
        device::{Device, Devices, NewDevice, Remembered},
        limits::{
            quota::{Quota, Shard},
            rate_limit::Hit,
        },
        otp::Otps,
        people::{
            factor::{Factor, FactorType, Factors},
            id::UserId,
            user::User,
        },
        time::Timestamp,
    },
    fault::Fault,
    http::{
        call::Call,
        serve::{briefly, pause},
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::{audit::AuditLog, devices::KnownDevices},
    store::{
        rows,
        table::{Batch, BatchGet, Put, Table, Transaction, Update},
    },
};

/// Retries after a concurrent change of a login. Each lost round is another request's guess, message or login, and no
/// policy allows more than 50 guesses: even the last request gets an answer and was counted.
pub const ROUNDS: u32 = 64;

/// Reads logins.
#[derive(Debug, Wire)]
pub struct Logins {
    /// Tokens.
    pub tokens: Table<Token, BatchGet>,
    /// Users.
    pub users: Table<User, BatchGet>,
    /// The users' second factors.
    pub factors: Table<Factor, BatchGet>,
    /// The factors' codes.
    pub otps: Table<Otps, BatchGet>,
    /// The deployment's quota of messages.
    pub quotas: Table<Quota, BatchGet>,
    /// The users' known devices.
    pub devices: Table<Devices, BatchGet>,
    /// The number of the quota's shards.
    #[wire(sms_shards)]
    pub shards: u64,
    /// Revokes the session of a token that is used twice.
    pub change_users: Table<User, Update>,
    /// Records what a login changes.
    pub audit: AuditLog,
}

impl Logins {
    /// The shard of the quota that counts the messages to a user.
    #[must_use]
    pub fn shard(&self, user: UserId) -> Shard {
        Shard::of(user.as_bytes(), self.shards)
    }
}

/// A login as it was read.
#[derive(Debug)]
pub struct Login {
    /// The token that continues the login.
    pub token: Token,
    /// The user who logs in.
    pub user: User,
    /// The user's second factors, as far as they were read.
    pub factors: Factors,
    /// The user's codes and guesses.
    pub otps: Otps,
    /// The quota of messages, as far as it is the user's shard.
    pub quota: Option<Quota>,
    /// The user's known devices, if the login is from one of them, or they were asked for.
    pub devices: Devices,
}

impl Login {
    /// The known device that the login is from: it has a lane of its own.
    #[must_use]
    pub fn device(&self) -> Option<&Device> {
        self.devices.get(self.token.device?)
    }

    /// Another token of the same session, without scopes.
    #[must_use]
    pub fn next(&self, kind: Kind, expires_at: Timestamp) -> Grant {
        Grant {
            owner: Owner::User(self.user.id),
            domain: Some(self.user.domain_key()),
            generation: self.user.token_generation,
            session: self.token.session,
            second_factor: self.token.second_factor,
            device: self.token.device,
            locale: self.token.locale.clone(),
            client: self.token.client.clone(),
            kind,
            scopes: Vec::new(),
            expires_at,
        }
    }
}

/// The second factors that complete a login; recovery codes are read where one was submitted.
pub const FACTORS: &[FactorType] = &[FactorType::Sms, FactorType::Totp];

/// What is read with a login.
#[derive(Clone, Copy, Debug)]
pub struct Reads {
    /// The user's second factors of these kinds.
    pub factors: &'static [FactorType],
    /// The user's known devices, also if the login is from none of them.
    pub devices: bool,
}

/// What every login is read with.
pub const READS: Reads = Reads {
    factors: FACTORS,
    devices: false,
};

/// Polls of a login whose token is about to be replaced, with a pause after each: three seconds in all. A code is sent
/// within that time; if not, the request that was to send it has crashed and replaced nothing.
const LOOKS: usize = 12;

/// Reads the login that a token continues, and validates the token. If another request is about to replace the token,
/// waits for its outcome first.
///
/// # Errors
/// Why the token is not valid; [`Fault`] when the store fails.
pub fn read<'a>(
    logins: &'a Logins,
    call: &'a Call,
    presented: &'a Presented,
    kind: fn(&Kind) -> bool,
    reads: Reads,
) -> LocalBoxFuture<'a, Result<Result<Login, LoginRefusal>, Fault>> {
    Box::pin(async move {
        for _ in 0..LOOKS {
            match read_once(logins, call, presented, kind, reads).await? {
                Ok(login) if login.token.is_being_replaced(call.now) => pause().await,
                found => return Ok(found),
            }
        }
        read_once(logins, call, presented, kind, reads).await
    })
}

async fn read_once(
    logins: &Logins,
    call: &Call,
    presented: &Presented,
    kind: fn(&Kind) -> bool,
    reads: Reads,
) -> Result<Result<Login, LoginRefusal>, Fault> {
    let id = match presented.owner {
        Owner::User(id) => id,
        Owner::Client(_) => return not_of_a_login(logins, call, presented).await.map(Err),
    };
    let keys: Vec<_> = reads.factors.iter().map(|factor_type| factor_type.of(id)).collect();
    let ledger = FactorType::Sms.of(id);
    let mut batch = Batch::default();
    batch.want(&logins.tokens, &presented.digest);
    batch.want(&logins.users, &id);
    for key in &keys {
        batch.want(&logins.factors, key);
    }
    batch.want(&logins.otps, &ledger);
    let shard = logins.shard(id);
    batch.want(&logins.quotas, &shard);
    let reads_devices = presented.is_known_device || reads.devices;
    if reads_devices {
        batch.want(&logins.devices, &id);
    }
    let found = batch.read().await?;
    let token = found.take(&logins.tokens, &presented.digest, call.now)?;
    let (Some(token), Some(user)) = (token, found.take(&logins.users, &id, call.now)?) else {
        return Ok(Err(LoginRefusal::Unknown));
    };
    call.log_actor(id.log_name());
    let devices = match reads_devices {
        true => found.take(&logins.devices, &id, call.now)?,
        false => None,
    };
    let devices = devices.unwrap_or_else(|| Devices::none(id));
    // A device that is no longer known has no lane of its own.
    let is_known = token.device.is_some_and(|device| devices.known_by_id(&user, device, call.now).is_some());
    let token = Token {
        device: token.device.filter(|_| is_known),
        ..token
    };
    if let Err(refusal) = access::check_login(&token, &user, kind, call.now) {
        if refusal == LoginRefusal::Reused && user.sessions.contains_key(&token.client) {
            let mut transaction = Transaction::default();
            transaction.update(&logins.change_users, &id, rows::user::end_session(&user, &token.client));
            logins.audit.add(&mut transaction, call, Outcome::SessionRevoked.of_user(&user));
            transaction.commit().await?;
        }
        return Ok(Err(refusal));
    }
    let otps = found.take(&logins.otps, &ledger, call.now)?;
    let factors = keys.iter().map(|key| found.take(&logins.factors, key, call.now));
    let factors: Result<Vec<_>, _> = factors.collect();
    Ok(Ok(Login {
        factors: Factors(factors?.into_iter().flatten().collect()),
        otps: otps.unwrap_or_else(|| Otps::none(id, FactorType::Sms)),
        quota: found.take(&logins.quotas, &shard, call.now)?,
        devices,
        token,
        user,
    }))
}

/// A client's own token continues no login.
async fn not_of_a_login(logins: &Logins, call: &Call, presented: &Presented) -> Result<LoginRefusal, Fault> {
    let mut batch = Batch::default();
    batch.want(&logins.tokens, &presented.digest);
    let found = batch.read().await?.take(&logins.tokens, &presented.digest, call.now)?;
    Ok(found.map_or(LoginRefusal::Unknown, |_| LoginRefusal::OtherKind))
}

/// The writes of a successful login.
#[derive(Clone, Copy)]
pub struct GrantedLogin<'a> {
    /// Consumes the code.
    pub otps: &'a Table<Otps, Update>,
    /// Resets the failures and starts a new session: the tokens of the earlier one are revoked.
    pub users: &'a Table<User, Update>,
    /// Stores the access token.
    pub tokens: &'a Table<Token, Put>,
    /// Resets the failures of a known device, and issues tokens of devices.
    pub devices: &'a KnownDevices,
    /// The device that the login makes a known one, or gives another token.
    pub wanted_device: Option<WantedDevice>,
    /// Expiry of the access token.
    pub expires_at: Timestamp,
    /// When the phone that the code was sent to was set, if it is already the factor's.
    pub phone_set_at: Option<Timestamp>,
}

/// A device that a login makes a known one.
#[derive(Clone, Copy, Debug)]
pub struct WantedDevice {
    /// Whether logins from it will need no second factor.
    pub remembered: Option<Remembered>,
}

/// What a successful login issues.
#[derive(Debug)]
pub struct Granted {
    /// The access token.
    pub access: Token,
    /// Its text, which is shown once.
    pub text: Secret,
    /// The text of the device's token, if one was wanted.
    pub device_token: Option<Secret>,
}

impl GrantedLogin<'_> {
    /// Adds the writes of a successful login to a transaction, and returns the access token with these scopes. `next`
    /// is the record of codes and guesses that replaces the login's. A login from a known device resets the failures of
    /// the device, and leaves those of others as they are.
    ///
    /// # Errors
    /// [`Fault`] when the random generator fails.
    pub fn add(
        self,
        transaction: &mut Transaction,
        call: &Call,
        login: &Login,
        next: &Otps,
        scopes: &[Scope],
    ) -> Result<Granted, Fault> {
        let Login { token, user, otps, .. } = login;
        let known = login.device();
        let (device, device_token) = match (self.wanted_device, known) {
            (Some(wanted), renewed) => {
                let new = NewDevice {
                    user,
                    client: &token.client,
                    renewed,
                    presented: None,
                    remembered: wanted.remembered,
                };
                let (id, text) = self.devices.issue(transaction, call, &login.devices, new)?;
                (Some(id), Some(text))
            }
            (None, Some(device)) => {
                self.devices.complete(transaction, call, &login.devices, device.id);
                (Some(device.id), None)
            }
            (None, None) => (None, None),
        };
        let lockout = user.lockout.knew_otp();
        let session = Session::draw(&mut SysRng)?;
        let grant = Grant {
            owner: Owner::User(user.id),
            domain: Some(user.domain_key()),
            generation: user.generation_after(&lockout),
            session: Some(session),
            second_factor: true,
            device,
            locale: token.locale.clone(),
            client: token.client.clone(),
            kind: Kind::Access,
            scopes: scopes.to_vec(),
            expires_at: self.expires_at,
        };
        let (access, text) = Token::issue(grant, &mut SysRng, call.now)?;
        let mut sessions = user.sessions.clone();
        sessions.insert(token.client.clone(), session);
        transaction.update(self.otps, &next.owner(), rows::otp::replace(otps.version, next));
        let signed_in = match (known, self.phone_set_at) {
            (Some(_), set_at) => rows::user::sign_in_from_device(user, &sessions, &user.password, set_at, call.now),
            (None, Some(set_at)) => rows::user::sign_in_by_code(user, &lockout, &sessions, set_at, call.now),
            (None, None) => rows::user::sign_in(user, &lockout, &sessions, &user.password, call.now),
        };
        transaction.update(self.users, &user.id, signed_in);
        transaction.put_new(self.tokens, &access, call.now);
        Ok(Granted {
            access,
            text,
            device_token,
        })
    }
}

/// Makes the message of a verified code count less against the quota. `next` is the record of codes that was stored.
/// The caller does not wait long for this, and nothing depends on it: a message that is not credited counts in full.
pub async fn count_verified(quotas: &Table<Quota, Update>, call: &Call, login: &Login, next: &Otps) {
    let (Some(quota), Some(code)) = (&login.quota, &next.code) else {
        return;
    };
    let Some(message) = &code.message else { return };
    let act = Hit {
        at: code.issued_at,
        by: call.invocation.clone(),
    };
    let verified = rows::quota::verify(quotas, quota.clone(), message, &act, call.now);
    let _ = briefly(verified).await;
}
