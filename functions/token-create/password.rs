use countersign_shared::{
    domain::{
        audit::{self, Act, Notice},
        auth::{
            client::{Client, GrantType},
            lockout::{Failed, Lockout},
        },
        device::Devices,
        limits::limit_keys,
        otp::Otps,
        password::{Cost, Password, PasswordHash, Verdict},
        people::{
            claim,
            factor::{FactorType, Factors},
            id::{ClientId, UserId},
            name::{DomainName, EmailAddress},
            tenant::Domain,
            unknown::{self, UnknownIdentity},
            user::User,
        },
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::mithril::{Error, body::DeviceFields},
        reply::Answer,
    },
    observe::Outcome,
    services::{
        idempotency::Once,
        logins::{FACTORS, ROUNDS},
        otp_sender::{self, Sending},
    },
    store::{
        retry::optimistic,
        rows::{self, rate_limit},
        table::{Batch, Committed, Transaction},
    },
};
use rand::rngs::SysRng;

use crate::{handler::Create, login_state::LoginState, session::SignIn};

/// The subject whose failure is counted.
#[derive(Clone, Copy)]
enum Whose<'a> {
    User(&'a User),
    Unknown(&'a UnknownIdentity),
}

impl Whose<'_> {
    /// What happened to the user, or to the pseudonym of an unknown identity.
    fn did(self, what: Outcome, request: &LoginRequest<'_>) -> Act {
        match self {
            Self::User(user) => what.of_user(user),
            Self::Unknown(_) => what.of(audit::pseudonym("unknown", &request.identity)).in_domain(&request.domain),
        }
    }
}

/// A login, as it was requested.
pub struct LoginRequest<'a> {
    pub client: Client,
    domain: DomainName,
    /// The user who has the address, or an id that no user has.
    id: UserId,
    /// The subject of failures if no user has the address.
    identity: [u8; 32],
    pub scope: &'a str,
    pub device: &'a DeviceFields,
}

/// Verifies one password. A hash is not verified twice when the user is read again, because that takes long.
pub struct PasswordVerifier<'a> {
    password: &'a Password,
    cost: &'a Cost,
    last: Option<(PasswordHash, Verdict)>,
}

impl PasswordVerifier<'_> {
    pub fn verify(&mut self, stored: &PasswordHash) -> Verdict {
        if let Some((hash, verdict)) = &self.last
            && hash.to_stored() == stored.to_stored()
        {
            return *verdict;
        }
        let verdict = stored.verify(self.password, self.cost);
        self.last = Some((stored.clone(), verdict));
        verdict
    }

    /// The hash to store after the right password: another one if the stored one is weak.
    pub fn current(&self, stored: &PasswordHash, verdict: Verdict) -> Result<PasswordHash, Fault> {
        Ok(match verdict {
            Verdict::RightButWeak => PasswordHash::of(self.password, self.cost, &mut SysRng)?,
            Verdict::Right | Verdict::Wrong => stored.clone(),
        })
    }
}

impl Create {
    /// The same work in every case, against enumeration: one hash, and the same calls, whether the user is known,
    /// blocked, or wrong (R27, R28, R71).
    pub async fn password(
        &self,
        call: &Call,
        email: &str,
        password: &Password,
        (client_id, scope): (&str, &str),
        device: &DeviceFields,
        once: &Once<'_>,
    ) -> Result<Answer, Error> {
        let (client, domain) = self.login_client(call, client_id).await?;
        let request = LoginRequest {
            id: self.user_of(call, &domain, email).await?,
            identity: unknown::subject(&domain, email),
            client,
            domain,
            scope,
            device,
        };
        let mut verifier = PasswordVerifier {
            password,
            cost: &self.cost,
            last: None,
        };
        otp_sender::with(&self.sender, call, async |sending| {
            optimistic(ROUNDS, "the user", async || self.sign_in(call, &request, &mut verifier, sending, once).await)
                .await
        })
        .await
    }

    /// The client, and the domain whose users log in with it.
    async fn login_client(&self, call: &Call, client_id: &str) -> Result<(Client, DomainName), Error> {
        let id = ClientId::parse(client_id).ok_or(Error::ClientUnknown)?;
        let client = self.clients.get(&id, call.now).await?.ok_or(Error::ClientUnknown)?;
        let domain = client.domain.clone().ok_or(Error::ClientNotAllowed)?;
        match client.grants.contains(&GrantType::Password) {
            true => Ok((client, domain)),
            false => Err(Error::ClientNotAllowed),
        }
    }

    /// The user with that address, or an id that no user has.
    async fn user_of(&self, call: &Call, domain: &DomainName, email: &str) -> Result<UserId, Fault> {
        let random_id = UserId::draw(&mut SysRng)?;
        let key = match EmailAddress::parse(email) {
            Ok(email) => claim::email(domain, &email),
            // An invalid address belongs to no user, and is looked up all the same.
            Err(_) => claim::of_unknown(&random_id),
        };
        Ok(self.claims.get(&key, call.now).await?.map_or(random_id, |claim| claim.user))
    }

    /// `None` when the rows that the login depends on have changed since they were read.
    async fn sign_in(
        &self,
        call: &Call,
        request: &LoginRequest<'_>,
        verifier: &mut PasswordVerifier<'_>,
        sending: &mut Sending<'_>,
        once: &Once<'_>,
    ) -> Result<Option<Answer>, Error> {
        let found = self.find(call, request).await?;
        if let Some((user, device)) = found.known_device(request.device.token.as_ref(), call.now) {
            let known = (user, device, verifier);
            return self.sign_in_from_device(call, request, known, &found, sending, once).await;
        }
        self.failed_logins.spend(&found.failures, &call.hit()).map_err(Error::LoginTimeout)?;
        let stored = match &found.user {
            Some(user) => user.password.clone(),
            None => PasswordHash::decoy(&self.cost),
        };
        let verdict = verifier.verify(&stored);
        let (whose, lockout) = match &found.user {
            Some(user) => (Whose::User(user), user.lockout),
            None => (Whose::Unknown(&found.unknown), found.unknown.lockout(call.now)),
        };
        call.log_subject(whose.did(Outcome::WrongIdentity, request).subject);
        if lockout.active_block(call.now).is_some() {
            return self.refuse(call, request, whose, Error::UserBlocked).await;
        }
        let (Whose::User(user), Verdict::Right | Verdict::RightButWeak) = (whose, verdict) else {
            return self.count_wrong(call, request, whose, &lockout).await;
        };
        let wanted = match request.client.allow(GrantType::Password, request.scope) {
            Ok(wanted) => wanted,
            // The login fails: failures are not reset, and it counts as one of its network.
            Err(allowed) => return self.refuse(call, request, whose, Error::ScopeNotAllowed(allowed)).await,
        };
        let sign_in = SignIn {
            client: &request.client,
            user,
            wanted,
            password: verifier.current(&stored, verdict)?,
            device: None,
            device_token: request.device.token.as_ref(),
            wants_device: request.device.is_wanted,
        };
        self.admit(call, &sign_in, &found, sending, once).await
    }

    async fn find(&self, call: &Call, request: &LoginRequest<'_>) -> Result<LoginState, Fault> {
        let LoginRequest {
            domain, id, identity, ..
        } = request;
        let about_devices = request.device.token.is_some() || request.device.is_wanted;
        // A remembered device depends on all factors.
        let factors = if about_devices { FactorType::ALL } else { FACTORS };
        let keys: Vec<_> = factors.iter().map(|factor_type| factor_type.of(*id)).collect();
        let ledger = FactorType::Sms.of(*id);
        let mut batch = Batch::default();
        batch.want(&self.logins.users, id);
        for key in &keys {
            batch.want(&self.logins.factors, key);
        }
        batch.want(&self.logins.otps, &ledger);
        let shard = self.logins.shard(*id);
        batch.want(&self.logins.quotas, &shard);
        batch.want(&self.domains, domain);
        let failures = limit_keys::failed_logins(&call.source);
        batch.want(&self.read_rate_limits, &failures);
        batch.want(&self.read_unknown, identity);
        if about_devices {
            batch.want(&self.logins.devices, id);
        }
        let found = batch.read().await?;
        let failures = found.take(&self.read_rate_limits, &failures, call.now)?;
        let otps = found.take(&self.logins.otps, &ledger, call.now)?;
        let factors = keys.iter().map(|key| found.take(&self.logins.factors, key, call.now));
        let factors: Result<Vec<_>, _> = factors.collect();
        let described = found.take(&self.domains, domain, call.now)?;
        let unknown = found.take(&self.read_unknown, identity, call.now)?;
        let devices = match about_devices {
            true => found.take(&self.logins.devices, id, call.now)?,
            false => None,
        };
        Ok(LoginState {
            devices: devices.unwrap_or_else(|| Devices::none(*id)),
            user: found.take(&self.logins.users, id, call.now)?,
            unknown: unknown.unwrap_or_else(|| UnknownIdentity::none(*identity)),
            failures: failures.map_or_else(Vec::new, |spent| spent.acts),
            factors: Factors(factors?.into_iter().flatten().collect()),
            otps: otps.unwrap_or_else(|| Otps::none(*id, FactorType::Sms)),
            quota: found.take(&self.logins.quotas, &shard, call.now)?,
            domain: described.unwrap_or_else(|| Domain::undescribed(domain.clone())),
        })
    }

    /// Refuses a login without counting a failure of the user, after a transaction that takes as long as counting one, and
    /// is never applied.
    async fn refuse<T>(
        &self,
        call: &Call,
        request: &LoginRequest<'_>,
        whose: Whose<'_>,
        why: Error,
    ) -> Result<T, Error> {
        let random_id = UserId::draw(&mut SysRng).map_err(Fault::from)?;
        let mut transaction = Transaction::default();
        transaction.update(&self.logins.change_users, &random_id, rows::user::never_matches(&call.invocation));
        transaction.check(&self.depend_on_unknown, &request.identity, rows::unknown::any());
        self.logins.audit.add(&mut transaction, call, whose.did(Outcome::WrongIdentity, request));
        transaction.commit().await?;
        self.count_failed(call).await?;
        Err(why)
    }

    /// Counts a failed login against its network.
    async fn count_failed(&self, call: &Call) -> Result<(), Error> {
        let subject = limit_keys::failed_logins(&call.source);
        let counted = rate_limit::spend(&self.sender.rate_limits, &self.failed_logins, &subject, &call.hit()).await?;
        counted.map(drop).map_err(Error::LoginTimeout)
    }

    /// Counts a wrong password, in a transaction on the same tables for known and unknown users; `None` after a
    /// concurrent change.
    async fn count_wrong<T>(
        &self,
        call: &Call,
        request: &LoginRequest<'_>,
        whose: Whose<'_>,
        lockout: &Lockout,
    ) -> Result<Option<T>, Error> {
        let identity = &request.identity;
        let (policy, now) = (&self.verifier.lockout, call.now);
        let next = lockout.failed(policy, Failed::Password, now);
        let mut transaction = Transaction::default();
        match whose {
            Whose::User(user) => {
                let change = match next.block {
                    None => rows::user::wrong_password(user, policy.passwords, now),
                    Some(_) => rows::user::set_lockout(user, &next, &call.invocation, now),
                };
                transaction.update(&self.logins.change_users, &user.id, change);
                transaction.check(&self.depend_on_unknown, identity, rows::unknown::any());
            }
            Whose::Unknown(unknown) => {
                let random_id = UserId::draw(&mut SysRng).map_err(Fault::from)?;
                transaction.check(&self.answered.depend_on, &random_id, rows::user::is_absent());
                let change = rows::unknown::failed(unknown, &next, policy.passwords, now);
                transaction.update(&self.change_unknown, identity, change);
            }
        }
        let act = match next.active_block(now).is_some() && next.is_news(lockout) {
            true => whose.did(Outcome::UserLocked, request).with_notice(Notice::Locked),
            false => whose.did(Outcome::WrongIdentity, request),
        };
        match whose {
            Whose::User(_) => self.logins.audit.add(&mut transaction, call, act),
            Whose::Unknown(_) => self.logins.audit.add_none(&mut transaction, &self.unrecorded, call, act),
        }
        match transaction.commit().await? {
            Committed::No(_) => return Ok(None),
            Committed::Yes => {}
        }
        self.count_failed(call).await?;
        Err(Error::WrongIdentity)
    }

    /// Resets the wrong passwords after a right one, though no code could be sent. If that fails, or the user has
    /// changed concurrently, a later login does it.
    pub async fn forgive(&self, call: &Call, user: &User) {
        let next = user.lockout.knew_password();
        if next == user.lockout {
            return;
        }
        let change = rows::user::set_lockout(user, &next, &call.invocation, call.now);
        let mut transaction = Transaction::default();
        transaction.update(&self.logins.change_users, &user.id, change);
        self.logins.audit.add(&mut transaction, call, Outcome::WrongPasswordsReset.of_user(user));
        let _ = transaction.commit().await;
    }
}
