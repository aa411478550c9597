use countersign_shared::{
    domain::{
        auth::token::Kind,
        crypto::secret::Secret,
        idempotency::Issued,
        otp::{Binding, Code, Purpose},
    },
    http::{
        call::Call,
        dialects::mithril::{
            Error,
            body::GrantType,
            view::{NextStep, token_answer},
        },
        reply::Answer,
    },
    observe::{Milestone, Outcome},
    services::{
        idempotency::Once,
        logins::{self, GrantedLogin, ROUNDS},
    },
    store::{
        retry::optimistic,
        table::{Batch, Committed, Transaction, settled},
    },
};

use crate::handler::Create;

impl Create {
    /// Verifies a code against the login as it was read, and writes the result on condition that nothing has changed
    /// (optimistic locking): a guess that lost the race is verified again, against the winner's result.
    pub async fn authorize(
        &self,
        call: &Call,
        token: Option<Secret>,
        otp: &Code,
        once: &Once<'_>,
    ) -> Result<Answer, Error> {
        optimistic(ROUNDS, "the login", async || self.grant(call, token.clone(), otp, once).await).await
    }

    /// Consumes the code, resets the failures and starts the session with its access token, all or nothing. `None`
    /// after a concurrent change.
    async fn grant(
        &self,
        call: &Call,
        token: Option<Secret>,
        otp: &Code,
        once: &Once<'_>,
    ) -> Result<Option<Answer>, Error> {
        let login = self.login(call, token).await?;
        let factor = login.active_factor().ok_or(Error::NoFactor)?;
        let phone = factor.value.as_ref().ok_or(Error::FactorNotSet)?;
        let binding = Binding::new(factor, phone, &login.token, Purpose::SignIn);
        let Some(next) = self.verifier.verify(call, &login, &binding, otp).await? else {
            return Ok(None);
        };
        let Kind::SecondFactor { wanted } = &login.token.kind else {
            return Err(Error::WrongTokenType);
        };
        let granted = GrantedLogin {
            otps: &self.sender.otps,
            users: &self.logins.change_users,
            tokens: &self.new_tokens,
            expires_at: call.now.deadline(self.lifetimes.access),
            phone_set_at: factor.phone_set_at,
        };
        let mut transaction = Transaction::default();
        let (access, text) = granted.add(&mut transaction, call, &login, &next, wanted)?;
        self.logins.audit.add(&mut transaction, call, Outcome::OtpVerified.of_user(&login.user));
        let (grant_type, then) = (GrantType::Authorize.name(), NextStep::RequestApps);
        let answer = token_answer(call, Outcome::OtpVerified, &access, &text, grant_type, then);
        let issued = Issued::to_user(login.user.id, access.generation, call.now).in_lane(access.lane());
        let answer = answer.counted_as(Milestone::Verified).issued(issued);
        once.store(&mut transaction, &answer)?;
        let is_issued = Batch::finds(&self.logins.tokens, &access.digest, call.now);
        match settled(transaction.commit().await, is_issued).await? {
            Committed::No(_) => return Ok(None),
            Committed::Yes => {}
        }
        logins::count_verified(&self.sender.quotas, call, &login, &next).await;
        Ok(Some(answer))
    }
}
