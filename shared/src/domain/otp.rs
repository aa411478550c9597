//! One-time codes by text message (docs/contract.md, Second factors and tokens).
//!
//! The state of a user's second factors is one record: the live code, the messages sent, the guesses made, whatever they
//! were compared with, and the last accepted step of the authenticator app. A rule checks the
//! record as read and returns its replacement. The store accepts that only while the version is unchanged (optimistic
//! locking), in one transaction with whatever follows from the result, and the caller is answered only afterwards. So
//! concurrent guesses are checked one after the other, and no guess is checked without being counted.
//!
//! The counters of guesses and sends are kept beside the code: neither a new code nor a new login resets them.

mod code;
#[cfg(test)]
mod factor_model;
mod guess;
#[cfg(test)]
mod model;
mod policy;
#[cfg(test)]
mod tests;

use rand::TryCryptoRng;

pub use self::{
    code::{Binding, Code, CodeDigest, End, Otp, Purpose, Status},
    guess::{Guess, Ledger, Proof, RecoveryGuess, Submitted, TotpGuess},
    policy::Policy,
};
use super::{
    crypto::{
        key::{Keyring, OtpCodes},
        secret::{NoEntropy, Secret},
    },
    limits::{
        quota,
        rate_limit::{Hit, RateLimited},
    },
    people::{
        factor::{FactorKey, FactorType},
        id::UserId,
    },
    time::Timestamp,
    totp::{Parameters, Step},
};

/// The code record of one user's factor.
#[derive(Clone, Debug)]
pub struct Otps {
    /// The user.
    pub user: UserId,
    /// The kind of factor.
    pub factor_type: FactorType,
    /// The version for optimistic locking: each replacement has the next number. 0: nothing is stored yet.
    pub version: u64,
    /// The newest code. It invalidates the one that it replaced, as if that had been canceled.
    pub code: Option<Otp>,
    /// The guesses that were compared with a code, oldest first.
    pub guesses: Vec<Hit>,
    /// The last step of the authenticator app that was accepted: neither it nor an earlier one is accepted again.
    pub last_step: Option<Step>,
    /// The messages sent, oldest first.
    pub sends: Vec<Hit>,
    /// The messages sent on the account's first day while its factor was not established.
    pub first_day: Vec<Hit>,
    /// When the TTL sweep may delete the row: not before everything in it has stopped counting.
    pub forget_at: Timestamp,
}

/// Why a guess failed. Each failure also counts towards the account's lockout (see [`super::auth::lockout`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is not the code, or no code could match: never sent, used, canceled, or of another login.
    Invalid,
    /// The code has expired.
    Expired,
    /// The code is past its attempts.
    ReachedMaxAttempts,
}

/// What to store and what to answer. The answer is given only once the record is stored.
#[derive(Clone, Debug)]
pub enum Judged {
    /// Rate limited: the guess was not compared, and there is nothing to store.
    Limited(RateLimited),
    /// The guess failed.
    Failed {
        /// The record to store.
        next: Otps,
        /// Why it failed.
        why: Failure,
    },
    /// The guess was right. The single-use code, or the step, is consumed in the record; a recovery code is not.
    Right {
        /// The record to store, together with what the code authorizes.
        next: Otps,
        /// What was proven.
        proof: Proof,
    },
}

impl Otps {
    /// The initial record of a factor.
    #[must_use]
    pub fn none(user: UserId, factor_type: FactorType) -> Self {
        Self {
            user,
            factor_type,
            version: 0,
            code: None,
            guesses: Vec::new(),
            last_step: None,
            sends: Vec::new(),
            first_day: Vec::new(),
            forget_at: Timestamp::from_seconds(0),
        }
    }

    /// The key of the factor.
    #[must_use]
    pub fn owner(&self) -> FactorKey {
        FactorKey {
            user: self.user,
            factor_type: self.factor_type,
        }
    }

    /// Issues a code that replaces the earlier one: the record to store, and the code to send once it is stored.
    /// Guesses stay counted (NIST SP 800-63B-4, 3.1.3.2). Until `first_day_ends`, the end of the first day of an
    /// account whose factor is not established, few messages are sent.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails; the inner `Err` is [`RateLimited`]: too many messages were sent
    /// recently, and the earlier code stays.
    pub fn issue(
        self,
        policy: &Policy,
        binding: &Binding<'_>,
        first_day_ends: Option<Timestamp>,
        keys: &Keyring<OtpCodes>,
        act: &Hit,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Result<(Self, Secret), RateLimited>, NoEntropy> {
        let (sends, first_day) = match self.send(policy, act, first_day_ends) {
            Ok(sent) => sent,
            Err(exhausted) => return Ok(Err(exhausted)),
        };
        let (otp, code) = Otp::draw(policy, binding, keys.signing(), rng, act.at)?;
        let next = Self {
            code: Some(otp),
            sends,
            first_day,
            ..self.following(policy, act.at)
        };
        Ok(Ok((next, code)))
    }

    /// Counts a message towards all messages, and towards those of the first day, whose limit lasts until that day
    /// ends.
    fn send(
        &self,
        policy: &Policy,
        act: &Hit,
        first_day_ends: Option<Timestamp>,
    ) -> Result<(Vec<Hit>, Vec<Hit>), RateLimited> {
        let sends = policy.sends.spend(&self.sends, act);
        let mut first_day = self.first_day.clone();
        let Some(ends) = first_day_ends.filter(|ends| !ends.is_expired(act.at)) else {
            return Ok((sends?, first_day));
        };
        if first_day.len() >= policy.first_day_sends {
            let otherwise = sends.err().map_or(0, |exhausted| exhausted.retry_after);
            let retry_after = otherwise.max(ends.seconds() - act.at.seconds());
            return Err(RateLimited { retry_after });
        }
        first_day.push(act.clone());
        Ok((sends?, first_day))
    }

    /// With the quota entry of the code's message.
    #[must_use]
    pub fn counted_as(self, message: quota::Message) -> Self {
        let count = |otp| Otp {
            message: Some(message),
            ..otp
        };
        Self {
            code: self.code.map(count),
            ..self
        }
    }

    /// The record after a message that could not be sent: it does not count towards the rate limit, and its code is
    /// canceled unless a newer one has replaced it.
    #[must_use]
    pub fn take_back(self, code: &[u8; 16], act: &Hit) -> Self {
        let cancel = |otp: Otp| if otp.id == *code { otp.cancel() } else { otp };
        let without = |sent: Vec<Hit>| sent.into_iter().filter(|sent| sent.by != act.by).collect();
        Self {
            version: self.version + 1,
            code: self.code.map(cancel),
            sends: without(self.sends),
            first_day: without(self.first_day),
            ..self
        }
    }

    /// Checks a guess. One that cannot be right in any case (no code, another login's, expired, or past its attempts)
    /// is not compared and does not use the rolling rate limit; a right one does.
    #[must_use]
    pub fn judge(
        self,
        policy: &Policy,
        guess: &Guess<'_>,
        ledger: Ledger,
        keys: &Keyring<OtpCodes>,
        act: &Hit,
    ) -> Judged {
        let next = self.following(policy, act.at);
        let count = |next: Self| next.count(policy, ledger, act);
        match guess {
            Guess::Sms(binding, given) => next.judge_sms(policy, binding, keys, given, act, count),
            Guess::Totp(totp, sms) => {
                let next = match count(next) {
                    Ok(next) => next,
                    Err(exhausted) => return Judged::Limited(exhausted),
                };
                let last = next.last_step.filter(|_| !totp.is_new);
                let matching = |code: &Code| Parameters::APP.matching(totp.secret, code.digits(), last, act.at);
                match (totp.code.and_then(matching), sms) {
                    (Some(step), _) => Judged::Right {
                        next: Self {
                            last_step: Some(step),
                            ..next
                        },
                        proof: Proof::Totp(step),
                    },
                    (None, Some((binding, given))) => next.judge_sms(policy, binding, keys, given, act, Ok),
                    (None, None) => next.failed(Failure::Invalid),
                }
            }
            Guess::Recovery(recovery) => {
                let next = match count(next) {
                    Ok(next) => next,
                    Err(exhausted) => return Judged::Limited(exhausted),
                };
                match recovery.codes.find(recovery.keys, recovery.user, recovery.code) {
                    Some(digest) => Judged::Right {
                        next,
                        proof: Proof::Recovery(digest),
                    },
                    None => next.failed(Failure::Invalid),
                }
            }
        }
    }

    /// Checks a guess at the code by text message; `count` counts it as a guess, unless that was done.
    fn judge_sms(
        self,
        policy: &Policy,
        binding: &Binding<'_>,
        keys: &Keyring<OtpCodes>,
        given: &Code,
        act: &Hit,
        count: impl FnOnce(Self) -> Result<Self, RateLimited>,
    ) -> Judged {
        let Some(otp) = self.code.clone().filter(|otp| otp.flow == *binding.flow) else {
            return self.failed(Failure::Invalid);
        };
        let seal = match &otp.status {
            Status::New(seal) => seal.clone(),
            Status::Ended(End::Verified | End::Canceled) => return self.failed(Failure::Invalid),
            Status::Ended(End::Expired) => return self.failed(Failure::Expired),
            Status::Ended(End::Unverified) => return self.failed(Failure::ReachedMaxAttempts),
        };
        if otp.expires_at.is_expired(act.at) {
            return self.with(otp.expire()).failed(Failure::Expired);
        }
        if otp.attempts >= policy.max_attempts {
            return self.with(otp.exhaust()).failed(Failure::ReachedMaxAttempts);
        }
        let next = match count(self) {
            Ok(next) => next,
            Err(exhausted) => return Judged::Limited(exhausted),
        };
        match seal.fits(keys, binding, &otp.id, given) {
            true => Judged::Right {
                next: next.with(otp.verify()),
                proof: Proof::Sms,
            },
            false => next.with(otp.fail()).failed(Failure::Invalid),
        }
    }

    /// With one more guess, if it is the user's.
    fn count(self, policy: &Policy, ledger: Ledger, act: &Hit) -> Result<Self, RateLimited> {
        Ok(match ledger {
            Ledger::User => Self {
                guesses: policy.guesses.spend(&self.guesses, act)?,
                ..self
            },
            Ledger::Device => self,
        })
    }

    fn failed(self, why: Failure) -> Judged {
        Judged::Failed { next: self, why }
    }

    /// The record that may replace this one.
    fn following(self, policy: &Policy, now: Timestamp) -> Self {
        let memory = policy.lifetime.max(policy.sends.memory()).max(policy.guesses.memory());
        Self {
            version: self.version + 1,
            forget_at: self.forget_at.max(now.deadline(memory)),
            ..self
        }
    }

    fn with(self, otp: Otp) -> Self {
        Self {
            code: Some(otp),
            ..self
        }
    }
}
