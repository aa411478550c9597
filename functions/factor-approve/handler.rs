use countersign_shared::{
    delivery::{mail::Mailer, words::Message},
    domain::{
        access::{Broken, Refusal},
        factor::{Factor, FactorType},
        key::OtpCodes,
        lockout,
        meter::Meter,
        otp::{Binding, Code, Judged, Otps, Policy, Purpose},
        phone::Phone,
        scope::Scope,
        suppression::Suppression,
        tenant::Domain,
        time::Timestamp,
        token::{Kind, Presented, Token},
        user::User,
    },
    http::{
        call::Call,
        mithril::{
            Error,
            body::read_otp,
            view::{NextStep, token_answer},
        },
        reply::Answer,
        serve::Endpoint,
    },
    keys::Keys,
    notices::Notices,
    observe::Step,
    second_factor::{self, Counted, Login, ROUNDS},
    settings::Lifetimes,
    store::{
        retry::optimistic,
        rows,
        table::{Batch, BatchGet, Committed, Put, Table, Transaction, Update, settled},
    },
};
/// Makes a phone a second factor once its code has come back, and signs its owner in.
pub struct Approve {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub factors: Table<Factor, BatchGet>,
    pub otps: Table<Otps, BatchGet>,
    pub meters: Table<Meter, BatchGet>,
    pub domains: Table<Domain, BatchGet>,
    pub suppressions: Table<Suppression, BatchGet>,
    pub new_tokens: Table<Token, Put>,
    pub change_users: Table<User, Update>,
    pub change_factors: Table<Factor, Update>,
    pub change_otps: Table<Otps, Update>,
    pub change_meters: Table<Meter, Update>,
    pub keys: Keys<OtpCodes>,
    pub mailer: Mailer,
    pub policy: Policy,
    pub lockout: lockout::Policy,
    pub lifetimes: Lifetimes,
}

/// A phone that has been shown to be its owner's.
struct Shown<'a> {
    login: &'a Login,
    factor: &'a Factor,
    phone: &'a Phone,
    wanted: &'a [Scope],
    expires_at: Timestamp,
}

impl Endpoint for Approve {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let token = call.bearer().ok_or(Refusal::NoToken)?;
        let presented = Presented::parse(token).ok_or(Error::TokenInvalid)?;
        let doors = second_factor::Doors {
            tokens: &self.tokens,
            users: &self.users,
            factors: &self.factors,
            otps: &self.otps,
            meters: &self.meters,
            change_users: &self.change_users,
        };
        let approves = |kind: &Kind| matches!(kind, Kind::Approval { .. });
        optimistic(ROUNDS, "the login", async || {
            let login = second_factor::read(doors, call, &presented, approves).await?;
            let login = login.map_err(|broken| match broken {
                Broken::OtherKind => Error::NotInitiated,
                Broken::Unknown | Broken::Reused | Broken::Blocked | Broken::Expired => broken.into(),
            })?;
            call.note_subject(login.user.id.log_name());
            let otp = read_otp(call, self.policy.length)?;
            self.judge(call, &login, &otp).await
        })
        .await
    }
}

impl Approve {
    /// `None` when something has changed since it was read.
    async fn judge(&self, call: &Call, login: &Login, otp: &Code) -> Result<Option<Answer>, Error> {
        let Kind::Approval {
            wanted,
            phone,
            replaces,
        } = &login.token.kind
        else {
            return Err(Error::NotInitiated);
        };
        let factor = login.active_factor().ok_or(Error::NotFound)?;
        // Who could set the first value may not replace one that came meanwhile.
        if factor.value.is_some() != replaces.is_some() {
            return Err(Error::TokenExpired);
        }
        let binding = Binding {
            user: login.user.id,
            factor_type: FactorType::Sms,
            factor_at: factor.updated_at,
            phone,
            flow: login.token.flow(),
            purpose: Purpose::Approval,
        };
        let act = call.act();
        let keys = self.keys.at(call.now).await;
        match login.otps.clone().judge(&self.policy, &binding, &keys, otp, &act) {
            Judged::Limited(exhausted) => Err(Error::GuessTimeout(exhausted)),
            Judged::Failed { next, why } => {
                let (otps, users) = (&self.change_otps, &self.change_users);
                match second_factor::count(otps, users, &self.lockout, call, login, &next, why).await? {
                    Counted::Changed => Ok(None),
                    Counted::Yes { answer, locked } => {
                        if locked {
                            let message = Message::Locked { at: call.now };
                            self.tell(call, &login.user, &message, "locked").await;
                        }
                        Err(answer)
                    }
                }
            }
            Judged::Right { next } => {
                let shown = Shown {
                    login,
                    factor,
                    phone,
                    wanted,
                    // A change of the phone makes no token live longer than the one that allowed it.
                    expires_at: replaces.unwrap_or_else(|| call.now.deadline(self.lifetimes.access)),
                };
                self.approve(call, &shown, &next).await
            }
        }
    }

    /// The code is used, the phone is the factor's, and its owner has a session: all of it, or nothing.
    async fn approve(&self, call: &Call, shown: &Shown<'_>, next: &Otps) -> Result<Option<Answer>, Error> {
        let user = &shown.login.user;
        let mut transaction = Transaction::default();
        let doors = second_factor::LetIn {
            otps: &self.change_otps,
            users: &self.change_users,
            tokens: &self.new_tokens,
            expires_at: shown.expires_at,
            // Only what it is sent from now on shows that it is used.
            phone_set_at: None,
        };
        let (access, text) = doors.add(&mut transaction, call, shown.login, next, shown.wanted)?;
        let approve = rows::factor::approve(&shown.factor.id, shown.phone, shown.factor, call.now);
        transaction.update(&self.change_factors, &shown.factor.owner(), approve);
        let is_issued = Batch::finds(&self.tokens, &access.digest, call.now);
        match settled(transaction.commit().await, is_issued).await? {
            Committed::No(_) => return Ok(None),
            Committed::Yes => {}
        }
        second_factor::count_verified(&self.change_meters, call, shown.login, next).await;
        let message = Message::FactorChanged {
            at: call.now,
            phone: shown.phone,
        };
        self.tell(call, user, &message, "factor_changed").await;
        let next = NextStep::RequestApps;
        let answer = token_answer(call, "factor_approved", &access, &text, "approve_factor", next);
        Ok(Some(answer.as_step(Step::Verified)))
    }

    async fn tell(&self, call: &Call, user: &User, message: &Message<'_>, kind: &'static str) {
        let notices = Notices {
            mailer: &self.mailer,
            domains: &self.domains,
            suppressions: &self.suppressions,
        };
        notices.tell(call, user, message, kind).await;
    }
}
