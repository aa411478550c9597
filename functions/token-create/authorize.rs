use countersign_shared::{
    delivery::words::Message,
    domain::{
        factor::FactorType,
        otp::{Binding, Code, Judged, Otps, Purpose},
        repetition::Issued,
        secret::Secret,
        token::Kind,
    },
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
    second_factor::{self, Counted, Login, ROUNDS},
    store::{
        retry::optimistic,
        table::{Batch, Committed, Transaction, settled},
    },
};

use crate::handler::Create;

impl Create {
    /// Judges a code on what was read, and writes what follows on condition that nothing has changed: a guess that lost
    /// the race is judged anew, on what the winner left.
    pub async fn authorize(&self, call: &Call, token: Option<Secret>, otp: &Code) -> Result<Answer, Error> {
        let keys = self.keys.at(call.now).await;
        optimistic(ROUNDS, "the login", async || {
            let login = self.login(call, token.clone()).await?;
            call.note_subject(login.user.id.log_name());
            let factor = login.active_factor().ok_or(Error::NoFactor)?;
            let binding = Binding {
                user: login.user.id,
                factor_type: FactorType::Sms,
                factor_at: factor.updated_at,
                phone: factor.value.as_ref().ok_or(Error::FactorNotSet)?,
                flow: login.token.flow(),
                purpose: Purpose::SignIn,
            };
            let act = call.act();
            let judged = login.otps.clone().judge(&self.policy.otp, &binding, &keys, otp, &act);
            match judged {
                Judged::Limited(exhausted) => Err(Error::GuessTimeout(exhausted)),
                Judged::Failed { next, why } => {
                    let (otps, users) = (&self.change_otps, &self.change_users);
                    match second_factor::count(otps, users, &self.lockout, call, &login, &next, why).await? {
                        Counted::Changed => Ok(None),
                        Counted::Yes { answer, locked } => {
                            self.tell_failed(call, &login, &next, locked).await;
                            Err(answer)
                        }
                    }
                }
                Judged::Right { next } => self.let_in(call, &login, &next).await,
            }
        })
        .await
    }

    /// The code is used, what failed is forgiven, the session begins anew and has its access token: all of it, or nothing.
    async fn let_in(&self, call: &Call, login: &Login, next: &Otps) -> Result<Option<Answer>, Error> {
        let Kind::SecondFactor { wanted } = &login.token.kind else {
            return Err(Error::WrongTokenType);
        };
        let mut transaction = Transaction::default();
        let doors = second_factor::LetIn {
            otps: &self.change_otps,
            users: &self.change_users,
            tokens: &self.new_tokens,
            expires_at: call.now.deadline(self.lifetimes.access),
            phone_set_at: login.factor.as_ref().and_then(|factor| factor.phone_set_at),
        };
        let (access, text) = doors.add(&mut transaction, call, login, next, wanted)?;
        let grant_type = GrantType::Authorize.name();
        let is_issued = Batch::finds(&self.tokens, &access.digest, call.now);
        Ok(match settled(transaction.commit().await, is_issued).await? {
            Committed::No(_) => None,
            Committed::Yes => {
                second_factor::count_verified(&self.change_meters, call, login, next).await;
                let next = NextStep::RequestApps;
                let answer = token_answer(call, "otp_verified", &access, &text, grant_type, next);
                let issued = Issued::to_user(login.user.id, access.generation, call.now);
                Some(answer.as_step(Step::Verified).issued(issued))
            }
        })
    }

    /// Somebody knows the password and has not the phone: the user shall know, once a code (ASVS 6.3.5).
    async fn tell_failed(&self, call: &Call, login: &Login, next: &Otps, locked: bool) {
        let attempts = |otps: &Otps| otps.code.as_ref().map_or(0, |otp| otp.attempts);
        let is_last = attempts(next) > attempts(&login.otps) && attempts(next) == self.policy.otp.max_attempts;
        if locked {
            self.tell_locked(call, &login.user).await;
        } else if is_last {
            let message = Message::CodeFailed { at: call.now };
            self.tell(call, &login.user, &message, "code_failed").await;
        }
    }
}
