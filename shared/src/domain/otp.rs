//! One-time codes by text message (docs/contract.md, Second factors and tokens).
//!
//! All that is known of a user's factor is one record: the code that lives, and what was sent and guessed. A rule judges
//! what was read and says what to store instead. The store takes that only while the version is still the one that was
//! read, in one transaction with whatever follows from the judgement, and nothing is told before. So each of the guesses
//! that arrive together is judged on what the others left, and none is judged without being counted.
//!
//! What counts guesses and sends stands beside the code: neither a new code nor a new login resets it.

mod code;
#[cfg(test)]
mod model;
mod policy;
#[cfg(test)]
mod tests;

use rand::TryCryptoRng;

pub use self::{
    code::{Binding, Code, CodeDigest, End, Otp, Purpose, Status},
    policy::Policy,
};
use super::{
    factor::{FactorKey, FactorType},
    id::UserId,
    key::{Keyring, OtpCodes},
    quota,
    rate_limit::{Hit, RateLimited},
    secret::{NoEntropy, Secret},
    time::Timestamp,
};

/// All that is known of the codes of one user's factor.
#[derive(Clone, Debug)]
pub struct Otps {
    /// Whose.
    pub user: UserId,
    /// Of which kind of factor.
    pub factor_type: FactorType,
    /// Which record this is: each one that is put in the place of another has the next number. 0: nothing is stored yet.
    pub version: u64,
    /// The newest code. One that it replaced is good for nothing any more, as if it had been canceled.
    pub code: Option<Otp>,
    /// The guesses that were compared, oldest first.
    pub guesses: Vec<Hit>,
    /// The messages that were sent, oldest first.
    pub sends: Vec<Hit>,
    /// Those that were sent on the account's first day while its factor was not established.
    pub first_day: Vec<Hit>,
    /// When the row goes: not before everything in it has ceased to count.
    pub forget_at: Timestamp,
}

/// Why a guess failed. Each counts against the account, too (see [`super::lockout`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is not the code, or there is none that it could be: never sent, used, taken back, or another login's.
    Invalid,
    /// The code is over.
    Expired,
    /// The code was guessed at too often.
    ReachedMaxAttempts,
}

/// What to store and what to answer. The answer is given once the record is stored, and not before.
#[derive(Clone, Debug)]
pub enum Judged {
    /// There were too many guesses of late: this one was not compared, and there is nothing to store.
    Limited(RateLimited),
    /// The guess failed.
    Failed {
        /// The record to store.
        next: Otps,
        /// Why.
        why: Failure,
    },
    /// The guess was right, and the code is used up.
    Right {
        /// The record to store, together with what the code is good for.
        next: Otps,
    },
}

impl Otps {
    /// What is known where nothing is stored.
    #[must_use]
    pub fn none(user: UserId, factor_type: FactorType) -> Self {
        Self {
            user,
            factor_type,
            version: 0,
            code: None,
            guesses: Vec::new(),
            sends: Vec::new(),
            first_day: Vec::new(),
            forget_at: Timestamp::from_seconds(0),
        }
    }

    /// What leads to it.
    #[must_use]
    pub fn owner(&self) -> FactorKey {
        FactorKey {
            user: self.user,
            factor_type: self.factor_type,
        }
    }

    /// Makes a code in the place of the earlier one: the record to store, and the code to send once it is stored. What was
    /// guessed stays counted (NIST SP 800-63B-4, 3.1.3.2). Until `first_day_ends`, the end of the first day of an account whose factor
    /// is not established, few are sent.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails; `Err` within is [`RateLimited`]: too much was sent of late, and the earlier
    /// code stays.
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

    /// Counts a message: all of them, and those of the first day. It is the day's end that makes room for more of these.
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

    /// With what the message of its code is counted as.
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

    /// After a message that could not be sent: nobody waits because of it, and its code is canceled unless a newer one has
    /// replaced it.
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

    /// Judges a guess. One that could not be right in any case (no code, another login's, over, or past its attempts) is
    /// not compared and costs none of the rolling budget; one that is right does.
    #[must_use]
    pub fn judge(
        self,
        policy: &Policy,
        binding: &Binding<'_>,
        keys: &Keyring<OtpCodes>,
        given: &Code,
        act: &Hit,
    ) -> Judged {
        let next = self.following(policy, act.at);
        let failed = |next, why| Judged::Failed { next, why };
        let Some(otp) = next.code.clone().filter(|otp| otp.flow == *binding.flow) else {
            return failed(next, Failure::Invalid);
        };
        let seal = match &otp.status {
            Status::New(seal) => seal.clone(),
            Status::Ended(End::Verified | End::Canceled) => return failed(next, Failure::Invalid),
            Status::Ended(End::Expired) => return failed(next, Failure::Expired),
            Status::Ended(End::Unverified) => return failed(next, Failure::ReachedMaxAttempts),
        };
        if otp.expires_at.is_expired(act.at) {
            return failed(next.with(otp.expire()), Failure::Expired);
        }
        if otp.attempts >= policy.max_attempts {
            return failed(next.with(otp.exhaust()), Failure::ReachedMaxAttempts);
        }
        let guesses = match policy.guesses.spend(&next.guesses, act) {
            Ok(guesses) => guesses,
            Err(exhausted) => return Judged::Limited(exhausted),
        };
        let next = Self { guesses, ..next };
        if seal.fits(keys, binding, &otp.id, given) {
            Judged::Right {
                next: next.with(otp.verify()),
            }
        } else {
            failed(next.with(otp.fail()), Failure::Invalid)
        }
    }

    /// The record that may take this one's place.
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
