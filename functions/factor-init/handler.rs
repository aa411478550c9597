use countersign_shared::{
    delivery::text::Texter,
    domain::{
        access::Refusal,
        factor::Factor,
        key::{Answers, Keyring, OtpCodes},
        meter::Meter,
        otp::{Binding, Otps, Purpose},
        repetition::{Issued, Keeping, Remembered},
        scope::Scope,
        secret::{Digest, Secret},
        time::Timestamp,
        token::{Grant, Kind, Owner, Presented, Token},
        user::User,
    },
    edge::Wire,
    fault::Fault,
    http::{
        call::Call,
        mithril::{
            Error, FACTOR_INIT,
            body::{FactorWanted, read_factor},
            invalid::Invalid,
            view::{NextStep, token_answer},
        },
        reply::Answer,
        serve::Endpoint,
    },
    keys::Keys,
    observe::{Outcome, Step},
    repetition::{self, Caller, Owners, Users},
    second_factor::{self, Login, ROUNDS},
    sending::{self, Extra, Policy, Sending, Sent, Wanted},
    settings::Lifetimes,
    store::{
        retry::optimistic,
        rows::{self, budget::Spent},
        table::{BatchGet, Check, Delete, Put, Table, Update},
    },
    token_replacement,
};
use rand::rngs::SysRng;

/// Sends a code to the phone that a user wants as second factor. Nothing changes before the code comes back.
#[derive(Wire)]
pub struct Init {
    pub repetitions: Table<Remembered, Put>,
    pub forget: Table<Remembered, Delete>,
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub depend_on_users: Table<User, Check>,
    pub factors: Table<Factor, BatchGet>,
    pub otps: Table<Otps, BatchGet>,
    pub meters: Table<Meter, BatchGet>,
    pub change_users: Table<User, Update>,
    pub change_otps: Table<Otps, Update>,
    pub change_meters: Table<Meter, Update>,
    pub new_tokens: Table<Token, Put>,
    pub change_tokens: Table<Token, Update>,
    pub budgets: Table<Spent, Update>,
    pub answers: Keys<Answers>,
    pub keys: Keys<OtpCodes>,
    pub texter: Texter,
    #[wire(sending_policy)]
    pub policy: Policy,
    #[wire(token_lifetimes)]
    pub lifetimes: Lifetimes,
}

impl Endpoint for Init {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let token = call.bearer().ok_or(Refusal::NoToken)?;
        let presented = Presented::parse(token).ok_or(Error::TokenInvalid)?;
        let keys = self.keys.at(call.now).await;
        let answer = async {
            let (answer, replaced) = sending::with(self.doors(&keys), call, async |sending| {
                optimistic(ROUNDS, "the login", async || self.init(call, &presented, sending).await).await
            })
            .await?;
            match replaced {
                Some(old) => {
                    let ends = rows::token::replace;
                    token_replacement::end(&self.change_tokens, call, &old, ends, answer).await
                }
                None => Ok(answer),
            }
        };
        let caller = Caller {
            function: "factor-init",
            credential: token,
        };
        let answers = self.answers.at(call.now).await;
        let keeping = Keeping::Sealed(&answers);
        let doors = repetition::Doors {
            calls: &self.repetitions,
            forget: &self.forget,
            owners: Owners::Users(Users {
                read: &self.users,
                depend_on: &self.depend_on_users,
            }),
        };
        repetition::once(doors, keeping, call, caller, answer).await
    }
}

/// What the token lets its holder do: the scopes of the access token that follows, and when that ends if it follows another
/// one, whose holder replaces a value. An access token needs a scope for that; a login does not know its scopes yet, and an
/// approval comes of one or the other.
fn permitted(token: &Token) -> Result<(Vec<Scope>, Option<Timestamp>), Refusal> {
    match &token.kind {
        Kind::Access if FACTOR_INIT.met_by(&token.scopes) => Ok((token.scopes.clone(), Some(token.expires_at))),
        Kind::Access => Err(Refusal::ScopeTooSmall(FACTOR_INIT)),
        Kind::SecondFactor { wanted } => Ok((wanted.clone(), None)),
        Kind::Approval { wanted, replaces, .. } => Ok((wanted.clone(), *replaces)),
    }
}

impl Init {
    /// Sends a code, and gives the token that another one replaces with it, if there is one. `None` when the login has changed since it
    /// was read.
    async fn init(
        &self,
        call: &Call,
        presented: &Presented,
        sending: &mut Sending<'_>,
    ) -> Result<Option<(Answer, Option<Digest>)>, Error> {
        let doors = second_factor::Doors {
            tokens: &self.tokens,
            users: &self.users,
            factors: &self.factors,
            otps: &self.otps,
            meters: &self.meters,
            change_users: &self.change_users,
        };
        let login = second_factor::read(doors, call, presented, |_| true).await??;
        call.note_subject(login.user.id.log_name());
        let (wanted, replaces) = permitted(&login.token)?;
        let FactorWanted { factor_type: _, phone } = read_factor(call)?;
        if self.policy.countries.of(&phone).is_none() {
            return Err(Invalid::inclusion("factor", &[]).into());
        }
        let factor = login.active_factor().ok_or(Error::NotFound)?;
        if factor.value.is_some() != replaces.is_some() {
            return Err(Error::WrongTokenType);
        }
        let kind = Kind::Approval {
            wanted,
            phone: phone.clone(),
            replaces,
        };
        let (token, text) = self.token(call, &login, kind)?;
        let user = &login.user;
        let wanted = Wanted {
            binding: Binding::new(factor, &phone, &token, Purpose::Approval),
            user,
            factor,
            locale: &login.token.locale,
            domain: &user.domain,
        };
        // A login goes on with one token. A signed-in user keeps the access token, whatever becomes of the new phone.
        let old = Some(&login.token).filter(|token| token.kind != Kind::Access);
        let mut extra = match old {
            Some(old) => token_replacement::begin(&self.change_tokens, call, old),
            None => Extra::default(),
        };
        extra.writes.put_new(&self.new_tokens, &token, call.now);
        extra
            .writes
            .check(&self.depend_on_users, &user.id, rows::user::is_there(user));
        match sending
            .send(wanted, login.otps.clone(), login.meter.clone(), extra)
            .await?
        {
            Sent::Yes => {
                let next = NextStep::ApproveFactor;
                let answer = token_answer(call, Outcome::FactorInitiated, &token, &text, "init_factor", next);
                let answer = answer.as_step(Step::Issued).issued(Issued::about(user, call.now));
                Ok(Some((answer, old.map(|old| old.digest.clone()))))
            }
            Sent::Changed => Ok(None),
        }
    }

    /// A token of the same session, which ends no later than the one that it comes of.
    fn token(&self, call: &Call, login: &Login, kind: Kind) -> Result<(Token, Secret), Fault> {
        let base = &login.token;
        let grant = Grant {
            owner: Owner::User(login.user.id),
            domain: Some(login.user.domain_key()),
            generation: login.user.token_generation,
            session: base.session,
            locale: base.locale.clone(),
            client: base.client.clone(),
            kind,
            scopes: Vec::new(),
            expires_at: base.expires_at.min(call.now.deadline(self.lifetimes.login)),
        };
        Ok(Token::issue(grant, &mut SysRng, call.now)?)
    }

    fn doors<'a>(&'a self, keys: &'a Keyring<OtpCodes>) -> sending::Doors<'a> {
        sending::Doors {
            otps: &self.change_otps,
            budgets: &self.budgets,
            meters: &self.change_meters,
            texter: &self.texter,
            keys,
            policy: &self.policy,
        }
    }
}
