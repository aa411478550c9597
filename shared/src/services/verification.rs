//! Floor 2: the verification of a login's code, up to the verdict: a failed guess is counted, and its user is notified.

use crate::{
    delivery::words::Message,
    domain::{
        key::OtpCodes,
        lockout::{self, Failed},
        otp::{self, Binding, Code, Failure, Judged, Otps, Purpose},
        user::User,
    },
    fault::Fault,
    http::call::Call,
    refusal::Unverified,
    runtime::edge::Wire,
    runtime::keys::Keys,
    services::logins::Login,
    services::notices::Notices,
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
    /// Users: failures count against them, too.
    pub users: Table<User, Update>,
    /// The keys of codes.
    pub keys: Keys<OtpCodes>,
    /// How codes are judged.
    #[wire(otp_policy)]
    pub policy: otp::Policy,
    /// After how many failures a user is blocked.
    #[wire(lockout_policy)]
    pub lockout: lockout::Policy,
    /// Notifies users of failures.
    pub notices: Notices,
}

impl Verifier {
    /// Judges a code on the login as it was read. A right one gives the record of codes, in which it is used up: it has to be written
    /// together with what the code permits. A failed guess is written here. `None` when something has changed since the login
    /// was read: read and judge again.
    ///
    /// # Errors
    /// Why the code is refused, told after the guess was counted; [`Fault`] when the store fails.
    pub async fn verify(
        &self,
        call: &Call,
        login: &Login,
        binding: &Binding<'_>,
        given: &Code,
    ) -> Result<Option<Otps>, Unverified> {
        let keys = self.keys.at(call.now).await;
        let judged = login
            .otps
            .clone()
            .judge(&self.policy, binding, &keys, given, &call.hit());
        let (next, why) = match judged {
            Judged::Limited(exhausted) => return Err(Unverified::RateLimited(exhausted)),
            Judged::Right { next } => return Ok(Some(next)),
            Judged::Failed { next, why } => (next, why),
        };
        let Some(counted) = self.count(call, login, &next).await? else {
            return Ok(None);
        };
        if counted.is_news {
            self.notify(call, login, &Message::Locked { at: call.now }, "locked")
                .await;
        } else if binding.purpose == Purpose::SignIn && self.was_last_attempt(login, &next) {
            // The caller knows the password and has not the phone: the user is notified, once for each code (ASVS 6.3.5).
            self.notify(call, login, &Message::CodeFailed { at: call.now }, "code_failed")
                .await;
        }
        // A block shows in the next answer only.
        Err(Unverified::Failed(if counted.is_blocked {
            Failure::Invalid
        } else {
            why
        }))
    }

    /// Counts a guess that failed, on its code and on its user. `None` when one of them has changed since it was judged.
    async fn count(&self, call: &Call, login: &Login, next: &Otps) -> Result<Option<Counted>, Fault> {
        let user = &login.user;
        let lockout = user.lockout.failed(&self.lockout, Failed::Otp, call.now);
        let mut transaction = Transaction::default();
        transaction.update(&self.otps, &next.owner(), rows::otp::replace(login.otps.version, next));
        let change = rows::user::stand(user, &lockout, &call.invocation, call.now);
        transaction.update(&self.users, &user.id, change);
        Ok(match transaction.commit().await? {
            Committed::No(_) => None,
            Committed::Yes => {
                let is_blocked = lockout.standing(call.now).is_some();
                Some(Counted {
                    is_blocked,
                    is_news: is_blocked && lockout.is_news(&user.lockout),
                })
            }
        })
    }

    /// Whether the guess was the last one that its code allowed.
    fn was_last_attempt(&self, login: &Login, next: &Otps) -> bool {
        let attempts = |otps: &Otps| otps.code.as_ref().map_or(0, |otp| otp.attempts);
        attempts(next) > attempts(&login.otps) && attempts(next) == self.policy.max_attempts
    }

    async fn notify(&self, call: &Call, login: &Login, message: &Message<'_>, kind: &'static str) {
        self.notices.tell(call, &login.user, message, kind).await;
    }
}

/// What a failed guess did to its user.
struct Counted {
    is_blocked: bool,
    /// It was this guess that blocked the user.
    is_news: bool,
}
