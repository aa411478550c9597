use countersign_shared::{
    domain::{
        audit,
        budget::Act,
        claim,
        client::{Client, Granting},
        factor::{Factor, FactorKey, FactorType},
        id::{ClientId, UserId},
        lockout::{Failed, Lockout},
        meter::Meter,
        name::{DomainName, EmailAddress},
        otp::{Binding, Otps, Purpose},
        password::{Password, PasswordHash, Verdict},
        repetition::Issued,
        scope::Scope,
        tenant::Domain,
        throttle,
        token::{Grant, Kind, Owner, Session, Token},
        unknown::{self, UnknownIdentity},
        user::{Sessions, User},
    },
    fault::Fault,
    http::{
        call::Call,
        mithril::{
            Error,
            body::GrantType,
            view::{NextStep, token_answer},
        },
        reply::Answer,
    },
    observe::Step,
    second_factor::ROUNDS,
    sending::{self, Sending, Sent, Wanted},
    store::{
        retry::optimistic,
        rows::{self, budget},
        table::{Batch, Committed, Transaction, settled},
    },
};
use rand::rngs::SysRng;

use crate::handler::Create;

/// Who wants to sign in where, as far as it is known.
struct Found {
    user: Option<User>,
    /// What is counted for the address if there is no such user.
    unknown: UnknownIdentity,
    failures: Vec<Act>,
    factor: Option<Factor>,
    otps: Otps,
    meter: Option<Meter>,
    domain: Domain,
}

/// A sign-in that nothing speaks against.
struct SignIn<'a> {
    client: &'a Client,
    user: &'a User,
    wanted: Vec<Scope>,
    password: PasswordHash,
}

/// Whose failure is counted.
#[derive(Clone, Copy)]
enum Whose<'a> {
    User(&'a User),
    Unknown(&'a UnknownIdentity),
}

/// A session that is begun while its code is sent.
struct Begun {
    user: User,
    sessions: Sessions,
}

/// What has to be taken back if no code can be sent.
struct Attempt<'s, 'c> {
    sending: &'s mut Sending<'c>,
    begun: &'s mut Option<Begun>,
}

impl Create {
    /// The same work for whoever it is: one hash, and the same calls, whether the user is known, blocked, or wrong (R27, R28, R71).
    pub async fn password(
        &self,
        call: &Call,
        email: &str,
        password: &Password,
        client_id: &str,
        scope: &str,
    ) -> Result<Answer, Error> {
        let (client, domain) = self.login_client(call, client_id).await?;
        let id = self.user_of(call, &domain, email).await?;
        let identity = unknown::subject(&domain, email);
        let mut begun = None;
        let keys = self.keys.at(call.now).await;
        let done = sending::with(self.doors(&keys), call, async |sending| {
            let mut attempt = Attempt {
                sending,
                begun: &mut begun,
            };
            self.sign_in(call, &client, &domain, id, &identity, password, scope, &mut attempt)
                .await
        })
        .await;
        if let (Err(_), Some(Begun { user, sessions })) = (&done, begun) {
            // Nothing was sent, so nothing has begun: the earlier session lives on. The first error is the one to tell.
            let change = rows::user::resume(&sessions, &user.sessions);
            let _ = self.change_users.update(&user.id, change, call.now).await;
        }
        done
    }

    /// The client, and the domain whose users log in with it.
    async fn login_client(&self, call: &Call, client_id: &str) -> Result<(Client, DomainName), Error> {
        let id = ClientId::parse(client_id).ok_or(Error::ClientUnknown)?;
        let client = self.clients.get(&id, call.now).await?.ok_or(Error::ClientUnknown)?;
        let domain = client.domain.clone().ok_or(Error::ClientNotAllowed)?;
        match client.grants.contains(&Granting::Password) {
            true => Ok((client, domain)),
            false => Err(Error::ClientNotAllowed),
        }
    }

    /// The user of that address, or an id that nobody has.
    async fn user_of(&self, call: &Call, domain: &DomainName, email: &str) -> Result<UserId, Fault> {
        let nobody = UserId::draw(&mut SysRng)?;
        let key = match EmailAddress::parse(email) {
            Ok(email) => claim::email(domain, &email),
            // What is no address belongs to nobody, and is looked up all the same.
            Err(_) => claim::nobody(&nobody),
        };
        Ok(self
            .claims
            .get(&key, call.now)
            .await?
            .map_or(nobody, |claim| claim.user))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "they are what a sign-in is made of, and are used once"
    )]
    async fn sign_in(
        &self,
        call: &Call,
        client: &Client,
        domain: &DomainName,
        id: UserId,
        identity: &[u8; 32],
        password: &Password,
        scope: &str,
        attempt: &mut Attempt<'_, '_>,
    ) -> Result<Answer, Error> {
        let mut verified: Option<(PasswordHash, Verdict)> = None;
        optimistic(ROUNDS, "the user", async || {
            let found = self.find(call, domain, id, identity).await?;
            self.failed_logins
                .spend(&found.failures, &call.act())
                .map_err(Error::LoginTimeout)?;
            let stored = match &found.user {
                Some(user) => user.password.clone(),
                None => PasswordHash::decoy(&self.cost),
            };
            let verdict = match &verified {
                Some((hash, verdict)) if hash.to_stored() == stored.to_stored() => *verdict,
                Some(_) | None => stored.verify(password, &self.cost),
            };
            verified = Some((stored.clone(), verdict));
            let (whose, lockout) = match &found.user {
                Some(user) => {
                    call.note_subject(user.id.log_name());
                    (Whose::User(user), user.lockout)
                }
                None => {
                    call.note_unknown(audit::pseudonym("unknown", identity));
                    (Whose::Unknown(&found.unknown), found.unknown.lockout(call.now))
                }
            };
            if lockout.standing(call.now).is_some() {
                return self.refuse(call, identity, Error::UserBlocked).await;
            }
            let (Whose::User(user), Verdict::Right | Verdict::RightButWeak) = (whose, verdict) else {
                return match self.count_wrong(call, domain, identity, whose, &lockout).await? {
                    Some(refusal) => Err(refusal),
                    None => Ok(None),
                };
            };
            let wanted = match client.allow(Granting::Password, scope) {
                Ok(wanted) => wanted,
                // Nobody has signed in: no failure is forgiven, and it is one for where it comes from.
                Err(allowed) => return self.refuse(call, identity, Error::ScopeNotAllowed(allowed)).await,
            };
            let rehashed = match verdict {
                Verdict::RightButWeak => PasswordHash::of(password, &self.cost, &mut SysRng).map_err(Fault::from)?,
                Verdict::Right | Verdict::Wrong => stored,
            };
            let sign_in = SignIn {
                client,
                user,
                wanted,
                password: rehashed,
            };
            self.admit(call, &sign_in, &found, attempt).await
        })
        .await
    }

    async fn find(&self, call: &Call, domain: &DomainName, id: UserId, identity: &[u8; 32]) -> Result<Found, Fault> {
        let factor = FactorKey {
            user: id,
            factor_type: FactorType::Sms,
        };
        let mut batch = Batch::default();
        batch.want(&self.users, &id);
        batch.want(&self.factors, &factor);
        batch.want(&self.otps, &factor);
        batch.want(&self.meters, &());
        batch.want(&self.domains, domain);
        let failures = throttle::failed_logins(&call.source);
        batch.want(&self.read_budgets, &failures);
        batch.want(&self.read_unknown, identity);
        let found = batch.read().await?;
        let failures = found.take(&self.read_budgets, &failures, call.now)?;
        let otps = found.take(&self.otps, &factor, call.now)?;
        let described = found.take(&self.domains, domain, call.now)?;
        let unknown = found.take(&self.read_unknown, identity, call.now)?;
        Ok(Found {
            user: found.take(&self.users, &id, call.now)?,
            unknown: unknown.unwrap_or_else(|| UnknownIdentity::none(*identity)),
            failures: failures.map_or_else(Vec::new, |spent| spent.acts),
            factor: found.take(&self.factors, &factor, call.now)?,
            otps: otps.unwrap_or_else(|| Otps::none(id, FactorType::Sms)),
            meter: found.take(&self.meters, &(), call.now)?,
            domain: described.unwrap_or_else(|| Domain::undescribed(domain.clone())),
        })
    }

    /// Refuses what no failure is counted of, after a write like that of one.
    async fn refuse<T>(&self, call: &Call, identity: &[u8; 32], why: Error) -> Result<T, Error> {
        let nobody = UserId::draw(&mut SysRng).map_err(Fault::from)?;
        let mut transaction = Transaction::default();
        transaction.update(&self.change_users, &nobody, rows::user::nobody(&call.invocation));
        transaction.check(&self.depend_on_unknown, identity, rows::unknown::any());
        transaction.commit().await?;
        self.count_failed(call).await?;
        Err(why)
    }

    /// Counts a login that failed, where it came from.
    async fn count_failed(&self, call: &Call) -> Result<(), Error> {
        let subject = throttle::failed_logins(&call.source);
        let counted = budget::spend(&self.budgets, &self.failed_logins, &subject, &call.act()).await?;
        counted.map(drop).map_err(Error::LoginTimeout)
    }

    /// Counts a wrong password, in a transaction on the same tables for users and others; `None` when what it was judged by has
    /// changed since.
    async fn count_wrong(
        &self,
        call: &Call,
        domain: &DomainName,
        identity: &[u8; 32],
        whose: Whose<'_>,
        lockout: &Lockout,
    ) -> Result<Option<Error>, Error> {
        let (policy, now) = (&self.lockout, call.now);
        let next = lockout.failed(policy, Failed::Password, now);
        let mut transaction = Transaction::default();
        match whose {
            Whose::User(user) => {
                let change = match next.block {
                    None => rows::user::wrong_password(user, policy.passwords, now),
                    Some(_) => rows::user::stand(user, &next, &call.invocation, now),
                };
                transaction.update(&self.change_users, &user.id, change);
                transaction.check(&self.depend_on_unknown, identity, rows::unknown::any());
            }
            Whose::Unknown(unknown) => {
                let nobody = UserId::draw(&mut SysRng).map_err(Fault::from)?;
                transaction.check(&self.depend_on_users, &nobody, rows::user::is_nobody());
                let change = rows::unknown::failed(unknown, &next, policy.passwords, now);
                transaction.update(&self.change_unknown, identity, change);
            }
        }
        match transaction.commit().await? {
            Committed::No(_) => return Ok(None),
            Committed::Yes => {}
        }
        let counted = self.count_failed(call).await;
        if next.standing(now).is_some() && next.is_news(lockout) {
            match whose {
                Whose::User(user) => self.tell_locked(call, user).await,
                Whose::Unknown(_) => self.tell_nobody_locked(call, domain, identity).await,
            }
        }
        counted.map(|()| Some(Error::WrongIdentity))
    }

    /// The password was right, though no code could be sent: the wrong ones before it do not count any more. If that
    /// cannot be written, or somebody else changed the user, there is another time.
    async fn forgive(&self, call: &Call, user: &User) {
        let next = user.lockout.knew_password();
        if next == user.lockout {
            return;
        }
        let change = rows::user::stand(user, &next, &call.invocation, call.now);
        let mut transaction = Transaction::default();
        transaction.update(&self.change_users, &user.id, change);
        let _ = transaction.commit().await;
    }

    /// Begins a session: with everything, or with what the second factor is asked by. `None` when the user has changed.
    async fn admit(
        &self,
        call: &Call,
        sign_in: &SignIn<'_>,
        found: &Found,
        attempt: &mut Attempt<'_, '_>,
    ) -> Result<Option<Answer>, Error> {
        let user = sign_in.user;
        let active = found.factor.as_ref().filter(|factor| factor.is_active);
        let session = Session::draw(&mut SysRng).map_err(Fault::from)?;
        let lockout = user.lockout.knew_password();
        let (kind, scopes, lifetime) = match active {
            None => (Kind::Access, sign_in.wanted.clone(), self.lifetimes.access),
            Some(_) => {
                let wanted = sign_in.wanted.clone();
                (Kind::SecondFactor { wanted }, Vec::new(), self.lifetimes.login)
            }
        };
        let grant = Grant {
            owner: Owner::User(user.id),
            domain: Some(user.domain_key()),
            generation: user.generation_after(&lockout),
            session: Some(session),
            locale: found.domain.locale.clone(),
            client: sign_in.client.id.clone(),
            kind,
            scopes,
            expires_at: call.now.deadline(lifetime),
        };
        let (token, text) = Token::issue(grant, &mut SysRng, call.now).map_err(Fault::from)?;
        let mut sessions = user.sessions.clone();
        sessions.insert(sign_in.client.id.clone(), session);
        let also = |transaction: &mut Transaction| {
            let change = rows::user::sign_in(user, &lockout, &sessions, &sign_in.password, call.now);
            transaction.update(&self.change_users, &user.id, change);
            transaction.put_new(&self.new_tokens, &token, call.now);
        };
        let answer = |outcome, next| {
            let grant_type = GrantType::Password.name();
            let issued = Issued::to_user(user.id, token.generation, call.now);
            Some(token_answer(call, outcome, &token, &text, grant_type, next).issued(issued))
        };
        let (outcome, next) = match active {
            None => ("signed_in", NextStep::RequestApps),
            Some(_) => ("factor_requested", NextStep::RequestFactor),
        };
        let set = active.and_then(|factor| Some((factor, factor.value.as_ref()?)));
        let Some((factor, phone)) = set else {
            let mut transaction = Transaction::default();
            also(&mut transaction);
            let is_issued = Batch::finds(&self.tokens, &token.digest, call.now);
            return Ok(match settled(transaction.commit().await, is_issued).await? {
                Committed::Yes => answer(outcome, next),
                Committed::No(_) => None,
            });
        };
        let wanted = Wanted {
            binding: Binding {
                user: user.id,
                factor_type: FactorType::Sms,
                factor_at: factor.updated_at,
                phone,
                flow: token.flow(),
                purpose: Purpose::SignIn,
            },
            user,
            factor,
            locale: &found.domain.locale,
            domain: &found.domain.name,
        };
        *attempt.begun = Some(Begun {
            user: user.clone(),
            sessions: sessions.clone(),
        });
        let (otps, meter) = (found.otps.clone(), found.meter.clone());
        match attempt.sending.send(wanted, otps, meter, also).await {
            Ok(Sent::Yes) => {
                let answer = answer("otp_requested", NextStep::RequestOtp);
                Ok(answer.map(|answer| answer.as_step(Step::Issued)))
            }
            Ok(Sent::Changed) => Ok(None),
            Err(why) => {
                self.forgive(call, user).await;
                Err(why.into())
            }
        }
    }
}
