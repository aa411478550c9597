use countersign_shared::{
    domain::{
        auth::token::Token,
        crypto::secret::{Digest, Secret},
        idempotency::Issued,
        otp::{Binding, Purpose},
    },
    fault::Fault,
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
        logins::ROUNDS,
        otp_sender::{self, MessageRequest, Sending, Sent},
        token_replacement,
    },
    store::{retry::optimistic, rows},
};
use rand::rngs::SysRng;

use crate::handler::Create;

impl Create {
    /// Sends another code with a new token: the earlier token is revoked, unless nothing could be sent.
    pub async fn refresh(&self, call: &Call, token: Option<Secret>, once: &Once<'_>) -> Result<Answer, Error> {
        let (answer, old) = otp_sender::with(&self.sender, call, async |sending| {
            optimistic(ROUNDS, "the login", async || self.send_again(call, token.clone(), sending).await).await
        })
        .await?;
        let ends = rows::token::renew;
        let answer = token_replacement::end(&self.change_tokens, call, &old, ends, answer, once).await?;
        answer.ok_or(Error::TokenExpired)
    }

    /// Sends another code, and returns the old token that another one replaces. `None` after a concurrent change of the
    /// login.
    async fn send_again(
        &self,
        call: &Call,
        token: Option<Secret>,
        sending: &mut Sending<'_>,
    ) -> Result<Option<(Answer, Digest)>, Error> {
        let login = self.login(call, token).await?;
        let (old, user) = (&login.token, &login.user);
        let factor = login.active_factor().ok_or(Error::NoFactor)?;
        let phone = factor.value.as_ref().ok_or(Error::FactorNotSet)?;
        // Renewing does not extend the login's lifetime (R37).
        let grant = login.next(old.kind.clone(), old.expires_at);
        let (renewed, text) = Token::issue(grant, &mut SysRng, call.now).map_err(Fault::from)?;
        let request = MessageRequest {
            binding: Binding::new(factor, phone, &renewed, Purpose::SignIn),
            user,
            factor,
            locale: &old.locale,
        };
        let mut extra = token_replacement::begin(&self.change_tokens, call, old);
        self.logins.audit.add(&mut extra.writes, call, Outcome::OtpRequested.of_user(user));
        extra.writes.put_new(&self.new_tokens, &renewed, call.now);
        extra.writes.check(&self.answered.depend_on, &user.id, rows::user::is_there(user));
        match sending.send(request, login.otps.clone(), login.quota.clone(), extra).await? {
            Sent::Yes => {
                let (grant_type, next) = (GrantType::Refresh.name(), NextStep::RequestOtp);
                let answer = token_answer(call, Outcome::OtpRequested, &renewed, &text, grant_type, next);
                let answer =
                    answer.counted_as(Milestone::Issued).issued(Issued::about(user, call.now).in_lane(old.lane()));
                Ok(Some((answer, old.digest.clone())))
            }
            Sent::Changed => Ok(None),
        }
    }
}
