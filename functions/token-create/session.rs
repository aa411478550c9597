use countersign_shared::{
    domain::{
        auth::{
            client::Client,
            scope::Scope,
            token::{Grant, Kind, Owner, Session, Token},
        },
        crypto::secret::Secret,
        device::{Device, NewDevice},
        idempotency::Issued,
        otp::{Binding, Purpose},
        password::PasswordHash,
        people::{id::DeviceId, user::User},
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::mithril::{
            Error, body,
            view::{NextStep, Urgent, request_otp, token_answer},
        },
        reply::Answer,
    },
    observe::{Milestone, Outcome},
    services::{
        idempotency::Once,
        otp_sender::{Extra, MessageRequest, Sending, Sent},
    },
    store::{
        rows,
        table::{Batch, Committed, Transaction, settled},
    },
};
use rand::rngs::SysRng;

use crate::{handler::Create, login_state::LoginState};

/// A valid sign-in.
pub struct SignIn<'a> {
    pub client: &'a Client,
    pub user: &'a User,
    pub wanted: Vec<Scope>,
    pub password: PasswordHash,
    /// The known device that the user logs in from.
    pub device: Option<&'a Device>,
    /// The token that it presented, known or not.
    pub device_token: Option<&'a Secret>,
    /// Whether the device becomes a known one, or gets another token.
    pub wants_device: bool,
}

/// A session to start.
struct NewSession {
    token: Token,
    text: Secret,
    device_token: Option<Secret>,
    /// Starts the session; undone if no code is sent.
    extra: Extra,
}

impl Create {
    /// Starts a session: with an access token, or with one that requests the second factor. `None` after a concurrent
    /// change of the user.
    pub async fn admit(
        &self,
        call: &Call,
        sign_in: &SignIn<'_>,
        found: &LoginState,
        sending: &mut Sending<'_>,
        once: &Once<'_>,
    ) -> Result<Option<Answer>, Error> {
        let user = sign_in.user;
        let factors = &found.factors;
        let is_required = factors.are_required() && !self.skips_factor(call, sign_in, found);
        let session = self.session(call, sign_in, found, is_required)?;
        let NewSession {
            token,
            text,
            device_token,
            mut extra,
        } = session;
        let answer = |outcome, urgent: Urgent| {
            let grant_type = body::GrantType::Password.name();
            let issued = Issued::to_user(user.id, token.generation, call.now).in_lane(token.lane());
            let urgent = urgent.with_device(device_token.as_ref());
            token_answer(call, outcome, &token, &text, grant_type, urgent).issued(issued)
        };
        // A user with an authenticator app gets a text message on request only.
        let is_sent = is_required && factors.totp().is_none();
        let Some((factor, phone)) = factors.sms().filter(|_| is_sent) else {
            let (outcome, urgent) = match (is_required, factors.are_set()) {
                (false, _) => (Outcome::SignedIn, NextStep::RequestApps.into()),
                (true, false) => (Outcome::FactorRequested, NextStep::RequestFactor.into()),
                (true, true) => (Outcome::AppCodeRequested, request_otp(factors)),
            };
            let answer = answer(outcome, urgent);
            self.logins.audit.add(&mut extra.writes, call, outcome.of_user(user));
            once.store(&mut extra.writes, &answer)?;
            let is_issued = Batch::finds(&self.logins.tokens, &token.digest, call.now);
            return Ok(match settled(extra.writes.commit().await, is_issued).await? {
                Committed::Yes => {
                    once.note_stored();
                    Some(answer)
                }
                Committed::No(_) => None,
            });
        };
        let message = MessageRequest {
            binding: Binding::new(factor, phone, &token, Purpose::SignIn),
            user,
            factor,
            locale: &found.domain.locale,
        };
        self.logins.audit.add(&mut extra.writes, call, Outcome::OtpRequested.of_user(user));
        let (otps, quota) = (found.otps.clone(), found.quota.clone());
        match sending.send(message, otps, quota, extra).await {
            Ok(Sent::Yes) => {
                Ok(Some(answer(Outcome::OtpRequested, NextStep::RequestOtp.into()).counted_as(Milestone::Issued)))
            }
            Ok(Sent::Changed) => Ok(None),
            Err(why) => {
                // Logins from a known device leave the counters of others as they are.
                if sign_in.device.is_none() {
                    self.forgive(call, user).await;
                }
                Err(why.into())
            }
        }
    }

    /// The session that a right password starts. Its token gives access to the API, or requests the second factor.
    fn session(
        &self,
        call: &Call,
        sign_in: &SignIn<'_>,
        found: &LoginState,
        asks_for_factor: bool,
    ) -> Result<NewSession, Fault> {
        let user = sign_in.user;
        let session = Session::draw(&mut SysRng)?;
        let mut extra = Extra::default();
        let (device, device_token) = self.device_writes(call, sign_in, found, asks_for_factor, &mut extra.writes)?;
        let lockout = user.lockout.knew_password();
        let wanted = sign_in.wanted.clone();
        let (kind, scopes, lifetime) = match asks_for_factor {
            false => (Kind::Access, wanted, self.lifetimes.access),
            true => (Kind::SecondFactor { wanted }, Vec::new(), self.lifetimes.login),
        };
        let grant = Grant {
            owner: Owner::User(user.id),
            domain: Some(user.domain_key()),
            generation: user.generation_after(&lockout),
            session: Some(session),
            device,
            second_factor: false,
            locale: found.domain.locale.clone(),
            client: sign_in.client.id.clone(),
            kind,
            scopes,
            expires_at: call.now.deadline(lifetime),
        };
        let (token, text) = Token::issue(grant, &mut SysRng, call.now)?;
        let mut sessions = user.sessions.clone();
        sessions.insert(sign_in.client.id.clone(), session);
        let begin = match sign_in.device {
            None => rows::user::sign_in(user, &lockout, &sessions, &sign_in.password, call.now),
            Some(_) => rows::user::sign_in_from_device(user, &sessions, &sign_in.password, None, call.now),
        };
        extra.writes.update(&self.logins.change_users, &user.id, begin);
        extra.writes.put_new(&self.new_tokens, &token, call.now);
        // If no code is sent, no session starts: the earlier one is kept.
        let resume = rows::user::resume(&sessions, &user.sessions);
        extra.undo.update(&self.logins.change_users, &user.id, resume);
        Ok(NewSession {
            token,
            text,
            device_token,
            extra,
        })
    }

    /// Whether the user logs in from a remembered device.
    fn skips_factor(&self, call: &Call, sign_in: &SignIn<'_>, found: &LoginState) -> bool {
        let (policy, factors) = (&self.verifier.devices.policy, &found.factors.0);
        sign_in.device.is_some_and(|device| device.skips_factors(policy, sign_in.user, factors, call.now))
    }

    /// Adds what a login writes about its device: a token, if the login is completed and asks for one; that it was
    /// completed; or else that it depends on the device. Returns the device's id and its new token.
    fn device_writes(
        &self,
        call: &Call,
        sign_in: &SignIn<'_>,
        found: &LoginState,
        asks_for_factor: bool,
        writes: &mut Transaction,
    ) -> Result<(Option<DeviceId>, Option<Secret>), Fault> {
        let (devices, known) = (&found.devices, sign_in.device);
        match (known, !asks_for_factor && sign_in.wants_device) {
            (renewed, true) => {
                let new = NewDevice {
                    user: sign_in.user,
                    client: &sign_in.client.id,
                    renewed,
                    presented: sign_in.device_token,
                    remembered: None,
                };
                let (id, text) = self.verifier.devices.issue(writes, call, devices, new)?;
                return Ok((Some(id), Some(text)));
            }
            // It is still known when the login begins.
            (Some(_), false) if asks_for_factor => {
                writes.check(&self.depend_on_devices, &devices.user, rows::device::unchanged(devices.version));
            }
            (Some(device), false) => self.verifier.devices.complete(writes, call, devices, device.id),
            (None, false) => {}
        }
        Ok((known.map(|device| device.id), None))
    }
}
