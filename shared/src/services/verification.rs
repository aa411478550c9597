//! Floor 2: verifies second factors: a failed guess is counted, and its user is notified.

use crate::{
    domain::{
        audit::{Act, Notice},
        auth::lockout::{self, Failed, Lockout},
        crypto::key::{Factors, OtpCodes},
        device::Device,
        otp::{
            self, Binding, Failure, Guess, Judged, Ledger, Otps, Proof, Purpose, RecoveryGuess, Submitted, TotpGuess,
        },
        people::{
            app::App,
            factor::{FactorType, NewValue},
            user::User,
        },
        recovery::RecoveryCodes,
    },
    fault::Fault,
    http::call::Call,
    observe::Outcome,
    refusal::Unverified,
    runtime::{edge::Wire, keys::Keys},
    services::{audit::AuditLog, devices::KnownDevices, logins::Login},
    store::{
        rows,
        table::{Committed, Table, Transaction, Update},
    },
};

/// Verifies codes.
#[derive(Debug, Wire)]
pub struct Verifier {
    /// Codes.
    pub otps: Table<Otps, Update>,
    /// Users: failures count against them as well.
    pub users: Table<User, Update>,
    /// The keys of codes by text message.
    pub keys: Keys<OtpCodes>,
    /// The keys of the other second factors.
    pub factor_keys: Keys<Factors>,
    /// The policy of codes.
    #[wire(otp_policy)]
    pub policy: otp::Policy,
    /// The lockout policy: how many failures block a user.
    #[wire(lockout_policy)]
    pub lockout: lockout::Policy,
    /// Known devices: failures in their lane count against them.
    pub devices: KnownDevices,
    /// Records failures.
    pub audit: AuditLog,
}

/// A right guess.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The record of codes and guesses in which it is consumed: write it together with what the guess permits.
    pub next: Otps,
    /// What was proven.
    pub proof: Proof,
}

impl Verifier {
    /// Verifies what was submitted to complete a login against the login as it was read: against everything that would
    /// complete it. A failed guess is written here. `None` after a concurrent change of the login: read and verify
    /// again.
    ///
    /// # Errors
    /// Why it is refused, after the guess was counted; [`Fault`] when the store fails, or when the secret of the
    /// authenticator app cannot be decrypted.
    pub async fn verify_sign_in(
        &self,
        call: &Call,
        login: &Login,
        submitted: &Submitted,
    ) -> Result<Option<Verified>, Unverified> {
        let factors = &login.factors;
        if !factors.are_required() {
            return Err(Unverified::NoFactor);
        }
        if !factors.are_set() {
            return Err(Unverified::FactorNotSet);
        }
        let keys = self.factor_keys.at(call.now).await;
        let binding = factors.sms().map(|(factor, phone)| Binding::new(factor, phone, &login.token, Purpose::SignIn));
        let app = factors.totp();
        match submitted {
            Submitted::Recovery(code) => {
                let codes = match (factors.recovery(), app) {
                    (Some((_, codes)), _) => codes.clone(),
                    // It is wrong, and counts.
                    (None, Some(_)) => RecoveryCodes::default(),
                    (None, None) => return Err(Unverified::Malformed(self.policy.length)),
                };
                let guess = Guess::Recovery(RecoveryGuess {
                    user: login.user.id,
                    codes: &codes,
                    keys: &keys.derive(),
                    code,
                });
                self.verify(call, login, &guess, Purpose::SignIn).await
            }
            Submitted::Digits { sms, totp } => {
                let sms = binding.as_ref().zip(sms.as_ref());
                let Some((factor, stored)) = app else {
                    let (binding, code) = sms.ok_or(Unverified::Malformed(self.policy.length))?;
                    return self.verify(call, login, &Guess::Sms(binding, code), Purpose::SignIn).await;
                };
                if sms.is_none() && totp.is_none() {
                    return Err(Unverified::Malformed(self.policy.length));
                }
                let secret = factor.app().decrypt(&keys.derive(), stored).map_err(Fault::from)?;
                let totp = TotpGuess {
                    secret: &secret,
                    code: totp.as_ref(),
                    is_new: false,
                };
                self.verify(call, login, &Guess::Totp(totp, sms), Purpose::SignIn).await
            }
        }
    }

    /// Verifies the code of an approval: that of the new phone, or of the new authenticator app, and nothing else.
    ///
    /// # Errors
    /// Like [`Self::verify_sign_in`].
    pub async fn verify_approval(
        &self,
        call: &Call,
        login: &Login,
        value: &NewValue,
        submitted: &Submitted,
    ) -> Result<Option<Verified>, Unverified> {
        let Submitted::Digits { sms, totp } = submitted else {
            return Err(Unverified::Malformed(self.policy.length));
        };
        match value {
            NewValue::Phone(phone) => {
                let factor = login.factors.active(FactorType::Sms).ok_or(Unverified::NoFactor)?;
                let code = sms.as_ref().ok_or(Unverified::Malformed(self.policy.length))?;
                let binding = Binding::new(factor, phone, &login.token, Purpose::Approval);
                self.verify(call, login, &Guess::Sms(&binding, code), Purpose::Approval).await
            }
            NewValue::App { factor, secret } => {
                let code = totp.as_ref().ok_or(Unverified::Malformed(self.policy.length))?;
                let app = App {
                    user: login.user.id,
                    factor: *factor,
                };
                let keys = self.factor_keys.at(call.now).await;
                let secret = app.decrypt(&keys.derive(), secret).map_err(Fault::from)?;
                let totp = TotpGuess {
                    secret: &secret,
                    code: Some(code),
                    is_new: true,
                };
                self.verify(call, login, &Guess::Totp(totp, None), Purpose::Approval).await
            }
        }
    }

    async fn verify(
        &self,
        call: &Call,
        login: &Login,
        guess: &Guess<'_>,
        purpose: Purpose,
    ) -> Result<Option<Verified>, Unverified> {
        let keys = self.keys.at(call.now).await;
        let device = login.device();
        let (ledger, counted) = match device {
            None => (Ledger::User, None),
            Some(device) => {
                let limit = device.judge_guess(&self.policy.guesses, &call.hit());
                (Ledger::Device, Some(limit.map_err(Unverified::RateLimited)?))
            }
        };
        let judged = login.otps.clone().judge(&self.policy, guess, ledger, &keys, &call.hit());
        let (next, why) = match judged {
            Judged::Limited(exhausted) => return Err(Unverified::RateLimited(exhausted)),
            Judged::Right { next, proof } => return Ok(Some(Verified { next, proof })),
            Judged::Failed { next, why } => (next, why),
        };
        if let Some(device) = counted {
            let act = outcome(why).of_user(&login.user);
            let is_worth_a_mail = device.failures + 1 == self.policy.max_attempts;
            let act = match purpose == Purpose::SignIn && is_worth_a_mail {
                true => act.with_notice(Notice::CodeFailed),
                false => act,
            };
            return match self.count_on_device(call, login, &next, device, act).await? {
                Committed::No(_) => Ok(None),
                Committed::Yes => Err(Unverified::Failed(why)),
            };
        }
        let lockout = login.user.lockout.failed(&self.lockout, Failed::Otp, call.now);
        let is_blocked = lockout.active_block(call.now).is_some();
        let act = if is_blocked && lockout.is_news(&login.user.lockout) {
            Outcome::UserLocked.of_user(&login.user).with_notice(Notice::Locked)
        } else {
            let act = outcome(why).of_user(&login.user);
            // The caller knows the password but lacks the second factor: the user learns it, once per code, or once in a
            // row of failures (ASVS 6.3.5).
            let is_worth_a_mail = match guess {
                Guess::Sms(..) => self.was_last_attempt(login, &next),
                Guess::Totp(..) | Guess::Recovery(_) => lockout.otps == self.policy.max_attempts,
            };
            match purpose == Purpose::SignIn && is_worth_a_mail {
                true => act.with_notice(Notice::CodeFailed),
                false => act,
            }
        };
        match self.count(call, login, &next, &lockout, act).await? {
            Committed::No(_) => Ok(None),
            // The response to this guess does not show the block yet.
            Committed::Yes => Err(Unverified::Failed(if is_blocked { Failure::Invalid } else { why })),
        }
    }

    /// Counts a failed guess against its code and its user, unless either has changed concurrently.
    async fn count(
        &self,
        call: &Call,
        login: &Login,
        next: &Otps,
        lockout: &Lockout,
        act: Act,
    ) -> Result<Committed, Fault> {
        let user = &login.user;
        let mut transaction = Transaction::default();
        transaction.update(&self.otps, &next.owner(), rows::otp::replace(login.otps.version, next));
        let change = rows::user::set_lockout(user, lockout, &call.invocation, call.now);
        transaction.update(&self.users, &user.id, change);
        self.audit.add(&mut transaction, call, act);
        transaction.commit().await
    }

    /// Counts a failed guess against its code and the known device that it comes from, unless either has changed
    /// concurrently.
    async fn count_on_device(
        &self,
        call: &Call,
        login: &Login,
        next: &Otps,
        device: Device,
        act: Act,
    ) -> Result<Committed, Fault> {
        let mut transaction = Transaction::default();
        transaction.update(&self.otps, &next.owner(), rows::otp::replace(login.otps.version, next));
        let id = device.id;
        let failed = login.devices.guessed(device, call.now).failed(id, call.now);
        self.devices.replace(&mut transaction, &login.devices, &failed);
        transaction.check(&self.devices.depend_on_users, &login.user.id, rows::user::is_there(&login.user));
        self.audit.add(&mut transaction, call, act);
        transaction.commit().await
    }

    /// Whether this was the last attempt that the code allows.
    fn was_last_attempt(&self, login: &Login, next: &Otps) -> bool {
        let attempts = |otps: &Otps| otps.code.as_ref().map_or(0, |otp| otp.attempts);
        attempts(next) > attempts(&login.otps) && attempts(next) == self.policy.max_attempts
    }
}

/// A failed guess in the audit log.
fn outcome(why: Failure) -> Outcome {
    match why {
        Failure::Invalid => Outcome::OtpInvalid,
        Failure::Expired => Outcome::OtpExpired,
        Failure::ReachedMaxAttempts => Outcome::OtpReachedMaxAttempts,
    }
}
