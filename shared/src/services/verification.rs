//! Floor 2: verifies a login's code: a failed guess is counted, and its user is notified.

use crate::{
    domain::{
        audit::{Act, Notice},
        auth::lockout::{self, Failed, Lockout},
        crypto::key::OtpCodes,
        otp::{self, Binding, Code, Failure, Judged, Otps, Purpose},
        people::user::User,
    },
    fault::Fault,
    http::call::Call,
    observe::Outcome,
    refusal::Unverified,
    runtime::{edge::Wire, keys::Keys},
    services::{audit::AuditLog, logins::Login},
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
    /// The keys of codes.
    pub keys: Keys<OtpCodes>,
    /// The policy of codes.
    #[wire(otp_policy)]
    pub policy: otp::Policy,
    /// The lockout policy: how many failures block a user.
    #[wire(lockout_policy)]
    pub lockout: lockout::Policy,
    /// Records failures.
    pub audit: AuditLog,
}

impl Verifier {
    /// Verifies a code against the login as it was read. For the right code, returns the record of codes in which it is
    /// consumed: write it together with what the code permits. A failed guess is written here. `None` after a
    /// concurrent change of the login: read and verify again.
    ///
    /// # Errors
    /// Why the code is refused, after the guess was counted; [`Fault`] when the store fails.
    pub async fn verify(
        &self,
        call: &Call,
        login: &Login,
        binding: &Binding<'_>,
        given: &Code,
    ) -> Result<Option<Otps>, Unverified> {
        let keys = self.keys.at(call.now).await;
        let judged = login.otps.clone().judge(&self.policy, binding, &keys, given, &call.hit());
        let (next, why) = match judged {
            Judged::Limited(exhausted) => return Err(Unverified::RateLimited(exhausted)),
            Judged::Right { next } => return Ok(Some(next)),
            Judged::Failed { next, why } => (next, why),
        };
        let lockout = login.user.lockout.failed(&self.lockout, Failed::Otp, call.now);
        let is_blocked = lockout.active_block(call.now).is_some();
        let act = if is_blocked && lockout.is_news(&login.user.lockout) {
            Outcome::UserLocked.of_user(&login.user).with_notice(Notice::Locked)
        } else {
            let act = outcome(why).of_user(&login.user);
            // The caller knows the password but lacks the phone: the user learns it, once per code (ASVS 6.3.5).
            match binding.purpose == Purpose::SignIn && self.was_last_attempt(login, &next) {
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
