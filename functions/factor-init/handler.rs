use countersign_shared::{
    domain::{
        auth::{
            access::Refusal,
            scope::Scope,
            token::{Kind, Presented, Token},
        },
        crypto::{key::Answers, secret::Digest},
        idempotency::{Issued, Storage},
        otp::{Binding, Purpose},
        time::Timestamp,
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::mithril::{
            Error, FACTOR_INIT,
            body::{FactorRequest, read_factor},
            invalid::Invalid,
            view::{NextStep, token_answer},
        },
        reply::Answer,
        serve::Endpoint,
    },
    observe::{Milestone, Outcome},
    runtime::{edge::Wire, keys::Keys, settings::Lifetimes},
    services::{
        idempotency::{self, AnsweredUsers, Caller, Idempotency, Once, Owners},
        logins::{self, Logins, ROUNDS},
        otp_sender::{self, Extra, MessageRequest, OtpSender, Sending, Sent},
        token_replacement,
    },
    store::{
        retry::optimistic,
        rows,
        table::{Put, Table, Update},
    },
};
use rand::rngs::SysRng;

/// Sends a code to the phone that a user wants as second factor. Nothing changes before the code is verified.
#[derive(Wire)]
pub struct Init {
    pub idempotency: Idempotency,
    pub answered: AnsweredUsers,
    pub logins: Logins,
    pub sender: OtpSender,
    pub new_tokens: Table<Token, Put>,
    pub change_tokens: Table<Token, Update>,
    pub answers: Keys<Answers>,
    #[wire(token_lifetimes)]
    pub lifetimes: Lifetimes,
}

impl Endpoint for Init {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let token = call.bearer().ok_or(Refusal::NoToken)?;
        let presented = Presented::parse(token).ok_or(Error::TokenInvalid)?;
        let answer = async |once: &Once<'_>| {
            let (answer, replaced) = otp_sender::with(&self.sender, call, async |sending| {
                optimistic(ROUNDS, "the login", async || self.init(call, &presented, sending).await).await
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

/// What the token permits: the scopes of the next access token, and its expiry if the caller replaces a value with an
/// access token. An access token needs a scope for that; a login does not know its scopes yet, and an approval comes
/// from one or the other.
fn permitted(token: &Token) -> Result<(Vec<Scope>, Option<Timestamp>), Refusal> {
    match &token.kind {
        Kind::Access if FACTOR_INIT.met_by(&token.scopes) => Ok((token.scopes.clone(), Some(token.expires_at))),
        Kind::Access => Err(Refusal::ScopeTooSmall(FACTOR_INIT)),
        Kind::SecondFactor { wanted } => Ok((wanted.clone(), None)),
        Kind::Approval { wanted, replaces, .. } => Ok((wanted.clone(), *replaces)),
    }
}

impl Init {
    /// Sends a code, and returns the old token that another one replaces, if any. `None` after a concurrent change of
    /// the login.
    async fn init(
        &self,
        call: &Call,
        presented: &Presented,
        sending: &mut Sending<'_>,
    ) -> Result<Option<(Answer, Option<Digest>)>, Error> {
        let login = logins::read(&self.logins, call, presented, |_| true).await??;
        call.log_subject(login.user.id.log_name());
        let (wanted, replaces) = permitted(&login.token)?;
        let FactorRequest { factor_type: _, phone } = read_factor(call)?;
        if self.sender.policy.countries.of(&phone).is_none() {
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
        // A token of the same session, which expires no later than the one that it comes from.
        let expires_at = login.token.expires_at.min(call.now.deadline(self.lifetimes.login));
        let (token, text) = Token::issue(login.next(kind, expires_at), &mut SysRng, call.now).map_err(Fault::from)?;
        let user = &login.user;
        let request = MessageRequest {
            binding: Binding::new(factor, &phone, &token, Purpose::Approval),
            user,
            factor,
            locale: &login.token.locale,
        };
        // A login continues with one token. A signed-in user keeps the access token, whatever happens to the new phone.
        let old = Some(&login.token).filter(|token| token.kind != Kind::Access);
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
                let answer = answer.counted_as(Milestone::Issued).issued(Issued::about(user, call.now));
                Ok(Some((answer, old.map(|old| old.digest.clone()))))
            }
            Sent::Changed => Ok(None),
        }
    }
}
