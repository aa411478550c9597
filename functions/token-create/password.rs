use countersign_shared::{
    domain::{
        audit::{self, Act, Notice},
        auth::{
            client::{Client, GrantType},
            lockout::{Failed, Lockout},
            scope::Scope,
            token::{Grant, Kind, Owner, Session, Token},
        },
        crypto::secret::Secret,
        idempotency::Issued,
        limits::{limit_keys, quota::Quota, rate_limit::Hit},
        otp::{Binding, Otps, Purpose},
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
        dialects::mithril::{
            Error, body,
            view::{NextStep, Urgent, request_otp, token_answer},
        },
        reply::Answer,
    },
    observe::{Milestone, Outcome},
    services::{
        idempotency::Once,
        logins::{FACTORS, ROUNDS},
        otp_sender::{self, Extra, MessageRequest, Sending, Sent},
    },
    store::{
        retry::optimistic,
        rows::{self, rate_limit},
        table::{Batch, Committed, Transaction, settled},
    },
};
use rand::rngs::SysRng;

use crate::handler::Create;

/// The rows that a login depends on.
struct LoginState {
    user: Option<User>,
    /// The failures of the address if no user has it.
    unknown: UnknownIdentity,
    failures: Vec<Hit>,
    factors: Factors,
    otps: Otps,
    quota: Option<Quota>,
    domain: Domain,
}

/// A valid sign-in.
struct SignIn<'a> {
    client: &'a Client,
    user: &'a User,
    wanted: Vec<Scope>,
    password: PasswordHash,
}

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
struct LoginRequest<'a> {
    client: Client,
    domain: DomainName,
    /// The user who has the address, or an id that no user has.
    id: UserId,
    /// The subject of failures if no user has the address.
    identity: [u8; 32],
    scope: &'a str,
}

/// Verifies one password. A hash is not verified twice when the user is read again, because that takes long.
struct PasswordVerifier<'a> {
    password: &'a Password,
    cost: &'a Cost,
    last: Option<(PasswordHash, Verdict)>,
}

impl PasswordVerifier<'_> {
    fn verify(&mut self, stored: &PasswordHash) -> Verdict {
        if let Some((hash, verdict)) = &self.last
            && hash.to_stored() == stored.to_stored()
        {
            return *verdict;
        }
        let verdict = stored.verify(self.password, self.cost);
        self.last = Some((stored.clone(), verdict));
        verdict
    }
}

/// A session to start.
struct NewSession {
    token: Token,
    text: Secret,
    /// Starts the session; undone if no code is sent.
    extra: Extra,
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
        once: &Once<'_>,
    ) -> Result<Answer, Error> {
        let (client, domain) = self.login_client(call, client_id).await?;
        let request = LoginRequest {
            id: self.user_of(call, &domain, email).await?,
            identity: unknown::subject(&domain, email),
            client,
            domain,
            scope,
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
        let password = match verdict {
            Verdict::RightButWeak => {
                PasswordHash::of(verifier.password, &self.cost, &mut SysRng).map_err(Fault::from)?
            }
            Verdict::Right | Verdict::Wrong => stored,
        };
        let sign_in = SignIn {
            client: &request.client,
            user,
            wanted,
            password,
        };
        self.admit(call, &sign_in, &found, sending, once).await
    }

    async fn find(&self, call: &Call, request: &LoginRequest<'_>) -> Result<LoginState, Fault> {
        let LoginRequest {
            domain, id, identity, ..
        } = request;
        let keys: Vec<_> = FACTORS.iter().map(|factor_type| factor_type.of(*id)).collect();
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
        let found = batch.read().await?;
        let failures = found.take(&self.read_rate_limits, &failures, call.now)?;
        let otps = found.take(&self.logins.otps, &ledger, call.now)?;
        let factors = keys.iter().map(|key| found.take(&self.logins.factors, key, call.now));
        let factors: Result<Vec<_>, _> = factors.collect();
        let described = found.take(&self.domains, domain, call.now)?;
        let unknown = found.take(&self.read_unknown, identity, call.now)?;
        Ok(LoginState {
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
    async fn forgive(&self, call: &Call, user: &User) {
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

    /// Starts a session: with an access token, or with one that requests the second factor. `None` after a concurrent
    /// change of the user.
    async fn admit(
        &self,
        call: &Call,
        sign_in: &SignIn<'_>,
        found: &LoginState,
        sending: &mut Sending<'_>,
        once: &Once<'_>,
    ) -> Result<Option<Answer>, Error> {
        let user = sign_in.user;
        let factors = &found.factors;
        let NewSession { token, text, mut extra } = self.session(call, sign_in, found, factors.are_required())?;
        let answer = |outcome, urgent: Urgent| {
            let grant_type = body::GrantType::Password.name();
            let issued = Issued::to_user(user.id, token.generation, call.now);
            token_answer(call, outcome, &token, &text, grant_type, urgent).issued(issued)
        };
        // A user with an authenticator app gets a text message on request only.
        let Some((factor, phone)) = factors.sms().filter(|_| factors.totp().is_none()) else {
            let (outcome, urgent) = match (factors.are_required(), factors.are_set()) {
                (false, _) => (Outcome::SignedIn, NextStep::RequestApps.into()),
                (true, false) => (Outcome::FactorRequested, NextStep::RequestFactor.into()),
                (true, true) => (Outcome::AppCodeRequested, request_otp(factors)),
            };
            let answer = answer(outcome, urgent);
            self.logins.audit.add(&mut extra.writes, call, outcome.of_user(user));
            once.store(&mut extra.writes, &answer)?;
            let is_issued = Batch::finds(&self.logins.tokens, &token.digest, call.now);
            return Ok(match settled(extra.writes.commit().await, is_issued).await? {
                Committed::Yes => {
                    once.note_stored();
                    Some(answer)
                }
                Committed::No(_) => None,
            });
        };
        let message = MessageRequest {
            binding: Binding::new(factor, phone, &token, Purpose::SignIn),
            user,
            factor,
            locale: &found.domain.locale,
        };
        self.logins.audit.add(&mut extra.writes, call, Outcome::OtpRequested.of_user(user));
        let (otps, quota) = (found.otps.clone(), found.quota.clone());
        match sending.send(message, otps, quota, extra).await {
            Ok(Sent::Yes) => {
                Ok(Some(answer(Outcome::OtpRequested, NextStep::RequestOtp.into()).counted_as(Milestone::Issued)))
            }
            Ok(Sent::Changed) => Ok(None),
            Err(why) => {
                self.forgive(call, user).await;
                Err(why.into())
            }
        }
    }

    /// The session that a right password starts. Its token gives access to the API, or requests the second factor.
    fn session(
        &self,
        call: &Call,
        sign_in: &SignIn<'_>,
        found: &LoginState,
        asks_for_factor: bool,
    ) -> Result<NewSession, Fault> {
        let user = sign_in.user;
        let session = Session::draw(&mut SysRng)?;
        let lockout = user.lockout.knew_password();
        let wanted = sign_in.wanted.clone();
        let (kind, scopes, lifetime) = match asks_for_factor {
            false => (Kind::Access, wanted, self.lifetimes.access),
            true => (Kind::SecondFactor { wanted }, Vec::new(), self.lifetimes.login),
        };
        let grant = Grant {
            owner: Owner::User(user.id),
            domain: Some(user.domain_key()),
            generation: user.generation_after(&lockout),
            session: Some(session),
            second_factor: false,
            locale: found.domain.locale.clone(),
            client: sign_in.client.id.clone(),
            kind,
            scopes,
            expires_at: call.now.deadline(lifetime),
        };
        let (token, text) = Token::issue(grant, &mut SysRng, call.now)?;
        let mut sessions = user.sessions.clone();
        sessions.insert(sign_in.client.id.clone(), session);
        let mut extra = Extra::default();
        let begin = rows::user::sign_in(user, &lockout, &sessions, &sign_in.password, call.now);
        extra.writes.update(&self.logins.change_users, &user.id, begin);
        extra.writes.put_new(&self.new_tokens, &token, call.now);
        // If no code is sent, no session starts: the earlier one is kept.
        let resume = rows::user::resume(&sessions, &user.sessions);
        extra.undo.update(&self.logins.change_users, &user.id, resume);
        Ok(NewSession { token, text, extra })
    }
}
