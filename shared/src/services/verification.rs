//! Floor 2: verifies a login's code: a failed guess is counted, and its user is notified.

use crate::{
    delivery::words::Message,
    domain::{
        auth::lockout::{self, Failed},
        crypto::key::OtpCodes,
        otp::{self, Binding, Code, Failure, Judged, Otps, Purpose},
        people::user::User,
    },
    fault::Fault,
    http::call::Call,
    refusal::Unverified,
    runtime::{edge::Wire, keys::Keys},
    services::{logins::Login, notices::Notices},
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
    /// Notifies users of failures.
    pub notices: Notices,
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
        let Some(counted) = self.count(call, login, &next).await? else {
            return Ok(None);
        };
        if counted.is_news {
            self.notify(call, login, &Message::Locked { at: call.now }, "locked").await;
        } else if binding.purpose == Purpose::SignIn && self.was_last_attempt(login, &next) {
            // The caller knows the password but lacks the phone: notify the user, once per code (ASVS 6.3.5).
            self.notify(call, login, &Message::CodeFailed { at: call.now }, "code_failed").await;
        }
        // The response to this guess does not show the block yet.
        Err(Unverified::Failed(if counted.is_blocked { Failure::Invalid } else { why }))
    }

    /// Counts a failed guess against its code and its user. `None` after a concurrent change of either.
    async fn count(&self, call: &Call, login: &Login, next: &Otps) -> Result<Option<Counted>, Fault> {
        let user = &login.user;
        let lockout = user.lockout.failed(&self.lockout, Failed::Otp, call.now);
        let mut transaction = Transaction::default();
        transaction.update(&self.otps, &next.owner(), rows::otp::replace(login.otps.version, next));
        let change = rows::user::set_lockout(user, &lockout, &call.invocation, call.now);
        transaction.update(&self.users, &user.id, change);
        Ok(match transaction.commit().await? {
            Committed::No(_) => None,
            Committed::Yes => {
                let is_blocked = lockout.active_block(call.now).is_some();
                Some(Counted {
                    is_blocked,
                    is_news: is_blocked && lockout.is_news(&user.lockout),
                })
            }
        })
    }

    /// Whether this was the last attempt that the code allows.
    fn was_last_attempt(&self, login: &Login, next: &Otps) -> bool {
        let attempts = |otps: &Otps| otps.code.as_ref().map_or(0, |otp| otp.attempts);
        attempts(next) > attempts(&login.otps) && attempts(next) == self.policy.max_attempts
    }

    async fn notify(&self, call: &Call, login: &Login, message: &Message<'_>, kind: &'static str) {
        self.notices.notify(call, &login.user, message, kind).await;
    }
}

/// The effect of a failed guess on its user.
struct Counted {
    is_blocked: bool,
    /// This guess caused the block.
    is_news: bool,
}
