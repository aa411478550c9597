use countersign_shared::{
    domain::{
        auth::{
            access::Refusal,
            token::{Kind, Presented},
        },
        crypto::key::Answers,
        idempotency::{Issued, Storage},
        otp::{Binding, Purpose},
        people::id::UserId,
    },
    http::{
        call::Call,
        dialects::mithril::{Error, body::read_token, view::user_answer},
        reply::Answer,
        serve::Endpoint,
    },
    observe::{Milestone, Outcome},
    runtime::{edge::Wire, keys::Keys},
    services::{
        idempotency::{self, AnsweredUsers, Caller, Idempotency, Once, Owners},
        logins::{self, Logins, ROUNDS},
        otp_sender::{self, Extra, MessageRequest, OtpSender, Sending, Sent},
    },
    store::{retry::optimistic, rows},
};

/// Sends another code for the login in progress, and cancels the earlier one.
#[derive(Wire)]
pub struct Create {
    pub idempotency: Idempotency,
    pub answered: AnsweredUsers,
    pub logins: Logins,
    pub sender: OtpSender,
    pub answers: Keys<Answers>,
}

impl Endpoint for Create {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let token = read_token(call)?.ok_or(Refusal::NoToken)?;
        let presented = Presented::parse(token.expose()).ok_or(Error::TokenInvalid)?;
        let answer = async |_: &Once<'_>| {
            otp_sender::with(&self.sender, call, async |sending| {
                optimistic(ROUNDS, "the login", async || self.send(call, &presented, sending).await).await
            })
            .await
        };
        let caller = Caller {
            // The path parameter is part of the request.
            function: "otp-create",
            credential: &format!("{} {}", call.path, token.expose()),
        };
        let answers = self.answers.at(call.now).await;
        let keeping = Storage::Encrypted(&answers);
        idempotency::run_once(&self.idempotency, Owners::Users(&self.answered), keeping, call, caller, answer).await
    }
}

impl Create {
    /// `None` after a concurrent change of the login.
    async fn send(
        &self,
        call: &Call,
        presented: &Presented,
        sending: &mut Sending<'_>,
    ) -> Result<Option<Answer>, Error> {
        let waits = |kind: &Kind| matches!(kind, Kind::SecondFactor { .. });
        let login = logins::read(&self.logins, call, presented, waits).await??;
        if UserId::parse(call.path_parameter("user_id")) != Some(login.user.id) {
            return Err(Error::Forbidden);
        }
        call.log_subject(login.user.id.log_name());
        let factor = login.active_factor().ok_or(Error::No2faData)?;
        let phone = factor.value.as_ref().ok_or(Error::No2faData)?;
        let user = &login.user;
        let request = MessageRequest {
            binding: Binding::new(factor, phone, &login.token, Purpose::SignIn),
            user,
            factor,
            locale: &login.token.locale,
        };
        let mut extra = Extra::default();
        self.sender.audit.add(&mut extra.writes, call, Outcome::OtpSent.of_user(user));
        extra.writes.check(&self.answered.depend_on, &user.id, rows::user::is_there(user));
        match sending.send(request, login.otps.clone(), login.quota.clone(), extra).await? {
            Sent::Yes => {
                let answer = user_answer(call, Outcome::OtpSent, user).counted_as(Milestone::Issued);
                Ok(Some(answer.issued(Issued::about(user, call.now).in_lane(login.token.lane()))))
            }
            Sent::Changed => Ok(None),
        }
    }
}
