use countersign_shared::{
    delivery::text::Texter,
    domain::{
        access::Refusal,
        factor::Factor,
        id::UserId,
        key::{Answers, Keyring, OtpCodes},
        meter::Meter,
        otp::{Binding, Otps, Purpose},
        repetition::{Issued, Keeping, Remembered},
        token::{Kind, Presented, Token},
        user::User,
    },
    edge::Wire,
    http::{
        call::Call,
        mithril::{Error, body::read_token, view::user_answer},
        reply::Answer,
        serve::Endpoint,
    },
    keys::Keys,
    observe::{Outcome, Step},
    repetition::{self, Caller, Owners, Users},
    second_factor::{self, ROUNDS},
    sending::{self, Extra, Policy, Sending, Sent, Wanted},
    store::{
        retry::optimistic,
        rows::{self, budget::Spent},
        table::{BatchGet, Check, Delete, Put, Table, Update},
    },
};

/// Sends another code for the login that the caller has begun, and cancels the earlier one.
#[derive(Wire)]
pub struct Create {
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
    pub budgets: Table<Spent, Update>,
    pub answers: Keys<Answers>,
    pub keys: Keys<OtpCodes>,
    pub texter: Texter,
    #[wire(sending_policy)]
    pub policy: Policy,
}

impl Endpoint for Create {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let token = read_token(call)?.ok_or(Refusal::NoToken)?;
        let presented = Presented::parse(token.expose()).ok_or(Error::TokenInvalid)?;
        let keys = self.keys.at(call.now).await;
        let answer = sending::with(self.doors(&keys), call, async |sending| {
            optimistic(ROUNDS, "the login", async || self.send(call, &presented, sending).await).await
        });
        let caller = Caller {
            // What the path names is part of the call.
            function: "otp-create",
            credential: &format!("{} {}", call.path, token.expose()),
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

impl Create {
    /// `None` when the login has changed since it was read.
    async fn send(
        &self,
        call: &Call,
        presented: &Presented,
        sending: &mut Sending<'_>,
    ) -> Result<Option<Answer>, Error> {
        let doors = second_factor::Doors {
            tokens: &self.tokens,
            users: &self.users,
            factors: &self.factors,
            otps: &self.otps,
            meters: &self.meters,
            change_users: &self.change_users,
        };
        let waits = |kind: &Kind| matches!(kind, Kind::SecondFactor { .. });
        let login = second_factor::read(doors, call, presented, waits).await??;
        if UserId::parse(call.path_parameter("user_id")) != Some(login.user.id) {
            return Err(Error::Forbidden);
        }
        call.note_subject(login.user.id.log_name());
        let factor = login.active_factor().ok_or(Error::No2faData)?;
        let phone = factor.value.as_ref().ok_or(Error::No2faData)?;
        let user = &login.user;
        let wanted = Wanted {
            binding: Binding::new(factor, phone, &login.token, Purpose::SignIn),
            user,
            factor,
            locale: &login.token.locale,
            domain: &user.domain,
        };
        let mut extra = Extra::default();
        extra
            .writes
            .check(&self.depend_on_users, &user.id, rows::user::is_there(user));
        match sending
            .send(wanted, login.otps.clone(), login.meter.clone(), extra)
            .await?
        {
            Sent::Yes => {
                let answer = user_answer(call, Outcome::OtpSent, user).as_step(Step::Issued);
                Ok(Some(answer.issued(Issued::about(user, call.now))))
            }
            Sent::Changed => Ok(None),
        }
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
