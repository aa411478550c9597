use countersign_shared::{
    domain::{
        auth::{
            access::Refusal,
            scope::Scope,
            token::{Kind, Presented, Token},
        },
        crypto::{
            key::{Answers, Factors},
            secret::{Digest, Secret},
        },
        idempotency::{Issued, Storage},
        otp::{Binding, Purpose},
        password::{Password, PasswordHash},
        people::{
            app::App,
            factor::{Factor, FactorType, NewValue},
            id::FactorId,
            phone::Phone,
            tenant::Domain,
            user::User,
        },
        time::Timestamp,
        totp::{Parameters, TotpSecret},
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::mithril::{
            Error, FACTOR_INIT,
            body::{FactorRequest, missing, read_factor},
            invalid::Invalid,
            view::{NextStep, Urgent, token_answer},
        },
        reply::Answer,
        serve::Endpoint,
    },
    observe::{Milestone, Outcome},
    runtime::{edge::Wire, keys::Keys, settings::Lifetimes},
    services::{
        idempotency::{self, AnsweredUsers, Caller, Idempotency, Once, Owners},
        logins::{self, Login, Logins, READS, ROUNDS},
        otp_sender::{self, Extra, MessageRequest, OtpSender, Sending, Sent},
        reauthentication::Reauthentication,
        token_replacement,
    },
    store::{
        retry::optimistic,
        rows,
        table::{Batch, BatchGet, Committed, Put, Table, Transaction, Update, settled},
    },
};
use rand::rngs::SysRng;

/// Starts to set a second factor: sends a code to the phone that a user wants, or shows the secret for an authenticator
/// app. Nothing changes before a code is verified.
#[derive(Wire)]
pub struct Init {
    pub idempotency: Idempotency,
    pub answered: AnsweredUsers,
    pub logins: Logins,
    pub sender: OtpSender,
    pub new_tokens: Table<Token, Put>,
    pub change_tokens: Table<Token, Update>,
    pub answers: Keys<Answers>,
    pub reauthentication: Reauthentication,
    pub domains: Table<Domain, BatchGet>,
    pub keys: Keys<Factors>,
    #[wire(token_lifetimes)]
    pub lifetimes: Lifetimes,
}

impl Endpoint for Init {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let token = call.bearer().ok_or(Refusal::NoToken)?;
        let presented = Presented::parse(token).ok_or(Error::TokenInvalid)?;
        let answer = async |once: &Once<'_>| {
            let mut proven = Proven::default();
            let (answer, replaced) = otp_sender::with(&self.sender, call, async |sending| {
                optimistic(ROUNDS, "the login", async || self.init(call, &presented, &mut proven, sending, once).await)
                    .await
            })
            .await?;
            match replaced {
                Some(old) => {
                    let ends = rows::token::replace;
                    let answer = token_replacement::end(&self.change_tokens, call, &old, ends, answer, once).await?;
                    answer.ok_or(Error::TokenExpired)
                }
                None => Ok(answer),
            }
        };
        let caller = Caller {
            function: "factor-init",
            credential: token,
        };
        let answers = self.answers.at(call.now).await;
        let keeping = Storage::Encrypted(&answers);
        idempotency::run_once(&self.idempotency, Owners::Users(&self.answered), keeping, call, caller, answer).await
    }
}

/// What the token permits: the scopes of the next access token, and its expiry if the caller has an access token, or an
/// approval that came from one. An access token needs a scope for that; a login does not know its scopes yet.
fn permitted(token: &Token) -> Result<(Vec<Scope>, Option<Timestamp>), Refusal> {
    match &token.kind {
        Kind::Access if FACTOR_INIT.met_by(&token.scopes) => Ok((token.scopes.clone(), Some(token.expires_at))),
        Kind::Access => Err(Refusal::ScopeTooSmall(FACTOR_INIT)),
        Kind::SecondFactor { wanted } => Ok((wanted.clone(), None)),
        Kind::Approval { wanted, replaces, .. } => Ok((wanted.clone(), *replaces)),
    }
}

/// A password alone sets no factor beside another one: neither in a login, nor in a session that no second factor
/// completed, because it is older than the factor, or from a remembered device.
fn may_set(login: &Login, is_signed_in: bool) -> Result<(), Error> {
    match login.factors.are_set() && !(is_signed_in && login.token.has_second_factor()) {
        true => Err(Error::WrongTokenType),
        false => Ok(()),
    }
}

/// What one call remembers across its rounds.
#[derive(Default)]
struct Proven {
    /// The password that was verified: a hash is not verified twice, because that takes long, and it is one guess.
    password: Option<PasswordHash>,
}

impl Init {
    /// Starts the change, and returns the old token that another one replaces when a code was sent, if any. `None` after
    /// a concurrent change of the login.
    async fn init(
        &self,
        call: &Call,
        presented: &Presented,
        proven: &mut Proven,
        sending: &mut Sending<'_>,
        once: &Once<'_>,
    ) -> Result<Option<(Answer, Option<Digest>)>, Error> {
        let login = logins::read(&self.logins, call, presented, |_| true, READS).await??;
        call.log_subject(login.user.id.log_name());
        let (wanted, replaces) = permitted(&login.token)?;
        let FactorRequest { phone, password } = read_factor(call)?;
        match phone {
            Some(phone) => {
                if self.sender.policy.countries.of(&phone).is_none() {
                    return Err(Invalid::inclusion("factor", &[]).into());
                }
                let factor = login.factors.active(FactorType::Sms).ok_or(Error::NotFound)?;
                may_set(&login, replaces.is_some())?;
                if replaces.is_some() && !login.factors.are_set() {
                    return Err(Error::WrongTokenType);
                }
                if login.factors.totp().is_some() {
                    self.prove(call, &login, password.as_ref(), proven).await?;
                }
                self.init_phone(call, &login, (wanted, replaces), (factor, phone), sending).await
            }
            None => {
                may_set(&login, replaces.is_some())?;
                if replaces.is_some() {
                    self.prove(call, &login, password.as_ref(), proven).await?;
                }
                let answer = self.init_app(call, &login, (wanted, replaces), once).await?;
                Ok(answer.map(|answer| (answer, None)))
            }
        }
    }

    /// Authenticates the user again (ASVS 7.5.1), once.
    async fn prove(
        &self,
        call: &Call,
        login: &Login,
        password: Option<&Password>,
        proven: &mut Proven,
    ) -> Result<(), Error> {
        let password = password.ok_or_else(|| missing("password"))?;
        let stored = &login.user.password;
        if proven.password.as_ref().is_some_and(|proven| proven.to_stored() == stored.to_stored()) {
            return Ok(());
        }
        self.reauthentication.verify(call, &login.user, password).await?;
        proven.password = Some(stored.clone());
        Ok(())
    }

    /// The token that approves a new value: of the same session, and it expires no later than the one that it comes
    /// from.
    fn approval(
        &self,
        call: &Call,
        login: &Login,
        (wanted, replaces): (Vec<Scope>, Option<Timestamp>),
        value: NewValue,
    ) -> Result<(Token, Secret), Fault> {
        let expires_at = login.token.expires_at.min(call.now.deadline(self.lifetimes.login));
        let kind = Kind::Approval {
            wanted,
            value,
            replaces,
        };
        Ok(Token::issue(login.next(kind, expires_at), &mut SysRng, call.now)?)
    }

    /// Sends a code to the new phone.
    async fn init_phone(
        &self,
        call: &Call,
        login: &Login,
        permitted: (Vec<Scope>, Option<Timestamp>),
        (factor, phone): (&Factor, Phone),
        sending: &mut Sending<'_>,
    ) -> Result<Option<(Answer, Option<Digest>)>, Error> {
        let (token, text) = self.approval(call, login, permitted, NewValue::Phone(phone.clone()))?;
        let user = &login.user;
        let request = MessageRequest {
            binding: Binding::new(factor, &phone, &token, Purpose::Approval),
            user,
            factor,
            locale: &login.token.locale,
        };
        let old = continued(login);
        let mut extra = match old {
            Some(old) => token_replacement::begin(&self.change_tokens, call, old),
            None => Extra::default(),
        };
        self.sender.audit.add(&mut extra.writes, call, Outcome::FactorInitiated.of_user(user));
        extra.writes.put_new(&self.new_tokens, &token, call.now);
        extra.writes.check(&self.answered.depend_on, &user.id, rows::user::is_there(user));
        match sending.send(request, login.otps.clone(), login.quota.clone(), extra).await? {
            Sent::Yes => {
                let next = NextStep::ApproveFactor;
                let answer = token_answer(call, Outcome::FactorInitiated, &token, &text, "init_factor", next);
                let answer = answer
                    .counted_as(Milestone::Issued)
                    .issued(Issued::about(user, call.now).in_lane(login.token.lane()));
                Ok(Some((answer, old.map(|old| old.digest.clone()))))
            }
            Sent::Changed => Ok(None),
        }
    }

    /// Draws the secret of a new authenticator app, and shows it. `None` after a concurrent change.
    async fn init_app(
        &self,
        call: &Call,
        login: &Login,
        permitted: (Vec<Scope>, Option<Timestamp>),
        once: &Once<'_>,
    ) -> Result<Option<Answer>, Error> {
        let user = &login.user;
        let found = login.factors.0.iter().find(|factor| factor.factor_type() == FactorType::Totp);
        if found.is_some_and(|factor| !factor.is_active) {
            return Err(Error::NotFound);
        }
        let factor = match found {
            Some(factor) => factor.id,
            None => FactorId::draw(&mut SysRng).map_err(Fault::from)?,
        };
        let app = App { user: user.id, factor };
        let secret = TotpSecret::draw(&mut SysRng).map_err(Fault::from)?;
        let keys = self.keys.at(call.now).await.derive();
        let stored = app.encrypt(&keys, &secret, &mut SysRng).map_err(Fault::from)?;
        let (token, text) = self.approval(call, login, permitted, NewValue::App { factor, secret: stored })?;
        let uri = Parameters::APP.uri(&secret, &self.issuer(call, user).await?, user.email.as_str());

        let mut transaction = Transaction::default();
        if let Some(old) = continued(login) {
            transaction.update(&self.change_tokens, &old.digest, rows::token::revoke(call.now));
        }
        transaction.put_new(&self.new_tokens, &token, call.now);
        transaction.check(&self.answered.depend_on, &user.id, rows::user::is_there(user));
        self.sender.audit.add(&mut transaction, call, Outcome::AppInitiated.of_user(user));
        let urgent = Urgent::from(NextStep::ApproveFactor).with_totp(&secret.to_base32(), &uri);
        let answer = token_answer(call, Outcome::AppInitiated, &token, &text, "init_factor", urgent);
        let answer = answer.issued(Issued::about(user, call.now).in_lane(login.token.lane()));
        once.store(&mut transaction, &answer)?;
        let is_issued = Batch::finds(&self.logins.tokens, &token.digest, call.now);
        Ok(match settled(transaction.commit().await, is_issued).await? {
            Committed::Yes => {
                once.note_stored();
                Some(answer)
            }
            Committed::No(_) => None,
        })
    }

    /// The issuer that the app shows: the display name of the domain's sender, or the domain.
    async fn issuer(&self, call: &Call, user: &User) -> Result<String, Fault> {
        let domain = Batch::one(&self.domains, &user.domain, call.now).await?;
        let name = domain.and_then(|domain| domain.sender?.name);
        Ok(name.map_or_else(|| user.domain.as_str().to_owned(), |name| name.as_str().to_owned()))
    }
}

/// The token that the next one replaces: a login continues with one token. A signed-in user keeps the access token,
/// whatever happens to the new factor.
fn continued(login: &Login) -> Option<&Token> {
    Some(&login.token).filter(|token| token.kind != Kind::Access)
}
