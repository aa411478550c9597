//! Comparing codes. A guess is one compared code, right or wrong, and is counted in the entity's ledger.

use rand::TryCryptoRng;

use super::{
    challenge::{Challenge, ChallengeRequest, ChallengeStatus, MOST_CHALLENGES},
    factor::Factor,
    parts::Refused,
    record::EntityRecord,
};
use crate::domain::{
    crypto::{
        key::{Keyring, TotpSecrets},
        secret::Secret,
    },
    limits::rate_limit::{Hit, RateLimit, RateLimited, Window},
    time::Timestamp,
    verification::{
        policy::VerificationPolicy,
        sid::{ChallengeSid, FactorSid},
    },
};

/// The window of the wrong codes of a factor that is not verified, in seconds.
const FACTOR_WINDOW: u64 = 600;

/// A code that was given: 3 to 8 digits.
#[derive(Clone, Debug)]
pub struct TotpCode(Secret);

impl TotpCode {
    /// `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (3..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| Self(Secret::new(text.to_owned())))
    }
}

/// What to store and what to answer. The answer is given only once the record is stored.
#[derive(Debug)]
pub struct Guessed {
    /// The record to store.
    pub next: EntityRecord,
    /// Whether the code was right; `None` without a code.
    pub is_right: Option<bool>,
}

impl EntityRecord {
    /// Verifies a factor with its first code. The code uses up its step.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::AlreadyVerified`], [`Refused::FactorLimited`] or [`Refused::Unreadable`].
    pub fn verify_factor(
        self,
        policy: &VerificationPolicy,
        keys: &Keyring<TotpSecrets>,
        sid: FactorSid,
        code: &TotpCode,
        (act, rng): (&Hit, &mut impl TryCryptoRng),
    ) -> Result<Guessed, Refused> {
        let factor = self.factor(sid).ok_or(Refused::NotFound)?;
        if factor.is_verified {
            return Err(Refused::AlreadyVerified);
        }
        let failures = failures(policy).spend(&factor.failures, act).map_err(Refused::FactorLimited)?;
        let ledger = self.ledger.compare(policy, act).map_err(Refused::FactorLimited)?;
        let accepted = factor.accepting(&self.id, keys, code.0.expose(), (act.at, rng))?;
        let is_right = Some(accepted.is_some());
        let mut next = Self {
            ledger,
            ..self.following(act.at)
        };
        let factor = next.factor_mut(sid).expect("it was found");
        match accepted {
            Some(accepted) => {
                *factor = Factor {
                    is_verified: true,
                    failures: Vec::new(),
                    updated_at: act.at,
                    ..accepted
                };
            }
            None => factor.failures = failures,
        }
        Ok(Guessed { next, is_right })
    }

    /// Creates a challenge, and compares a code with it if one is given.
    ///
    /// # Errors
    /// [`Refused::NotFound`] without an entity, [`Refused::NoFactor`], [`Refused::FactorNotVerified`],
    /// [`Refused::TooManyChallenges`], [`Refused::ChallengeLimited`] or [`Refused::Unreadable`]. Then none is created.
    pub fn create_challenge(
        self,
        policy: &VerificationPolicy,
        keys: &Keyring<TotpSecrets>,
        request: ChallengeRequest,
        code: Option<&TotpCode>,
        (act, rng): (&Hit, &mut impl TryCryptoRng),
    ) -> Result<Guessed, Refused> {
        let now = act.at;
        if self.entity.is_none() {
            return Err(Refused::NotFound);
        }
        let factor = self.factor(request.factor).ok_or(Refused::NoFactor)?;
        if !factor.is_verified {
            return Err(Refused::FactorNotVerified);
        }
        let mut next = self.following(now);
        let entity = next.entity.as_mut().expect("it has a factor");
        if entity.challenges.len() >= MOST_CHALLENGES {
            make_room(&mut entity.challenges, now).map_err(Refused::TooManyChallenges)?;
        }
        entity.challenges.push(request.created(now));
        match code {
            Some(code) => next.compared(policy, keys, request.sid, code, (act, rng)),
            None => Ok(Guessed { next, is_right: None }),
        }
    }

    /// Compares a code with a challenge.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::AlreadyApproved`], [`Refused::Expired`], [`Refused::ChallengeLimited`] or
    /// [`Refused::Unreadable`].
    pub fn answer_challenge(
        self,
        policy: &VerificationPolicy,
        keys: &Keyring<TotpSecrets>,
        sid: ChallengeSid,
        code: &TotpCode,
        (act, rng): (&Hit, &mut impl TryCryptoRng),
    ) -> Result<Guessed, Refused> {
        let challenge = self.challenge(sid, act.at).ok_or(Refused::NotFound)?;
        match challenge.status(act.at) {
            ChallengeStatus::Approved => return Err(Refused::AlreadyApproved),
            ChallengeStatus::Expired => return Err(Refused::Expired),
            ChallengeStatus::Pending => {}
        }
        if challenge.wrong >= policy.max_attempts {
            let retry_after = challenge.expires_at.seconds() - act.at.seconds();
            return Err(Refused::ChallengeLimited(RateLimited { retry_after }));
        }
        self.following(act.at).compared(policy, keys, sid, code, (act, rng))
    }

    /// The record, in which the challenge is pending, after a code was compared with it. The right one approves it, and
    /// uses up its step for all challenges of the factor.
    fn compared(
        self,
        policy: &VerificationPolicy,
        keys: &Keyring<TotpSecrets>,
        sid: ChallengeSid,
        code: &TotpCode,
        (act, rng): (&Hit, &mut impl TryCryptoRng),
    ) -> Result<Guessed, Refused> {
        let ledger = self.ledger.compare(policy, act).map_err(Refused::ChallengeLimited)?;
        let challenge = self.challenge(sid, act.at).expect("it is pending");
        let factor = self.factor(challenge.factor).expect("a factor is deleted with its challenges");
        let accepted = factor.accepting(&self.id, keys, code.0.expose(), (act.at, rng))?;
        let is_right = Some(accepted.is_some());
        let mut next = Self { ledger, ..self };
        if let Some(accepted) = accepted {
            let factor = next.factor_mut(accepted.sid).expect("it was found");
            *factor = accepted;
        }
        let entity = next.entity.as_mut().expect("it has a factor");
        let challenge = entity.challenges.iter_mut().find(|challenge| challenge.sid == sid).expect("it is pending");
        challenge.updated_at = act.at;
        match is_right {
            Some(true) => challenge.approved_at = Some(act.at),
            Some(false) | None => challenge.wrong += 1,
        }
        Ok(Guessed { next, is_right })
    }
}

/// The rate limit of the wrong codes of a factor that is not verified.
fn failures(policy: &VerificationPolicy) -> RateLimit {
    RateLimit::new(vec![Window {
        max: usize::try_from(policy.max_attempts).expect("a few"),
        seconds: FACTOR_WINDOW,
    }])
}

/// Forgets the oldest challenge that is no longer pending; without one, there is room when the first one expires.
fn make_room(challenges: &mut Vec<Challenge>, now: Timestamp) -> Result<(), RateLimited> {
    let is_pending = |challenge: &Challenge| challenge.status(now) == ChallengeStatus::Pending;
    if let Some(oldest) = challenges.iter().position(|challenge| !is_pending(challenge)) {
        challenges.remove(oldest);
        return Ok(());
    }
    let first = challenges.iter().map(|challenge| challenge.expires_at).min().unwrap_or(now);
    Err(RateLimited {
        retry_after: first.seconds().saturating_sub(now.seconds()),
    })
}
