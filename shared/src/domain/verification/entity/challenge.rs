//! Challenges: requests for a code of a factor.

use crate::domain::{
    time::Timestamp,
    verification::sid::{ChallengeSid, FactorSid},
};

/// The life of a challenge, in seconds, unless its application says another.
pub const DEFAULT_LIFE: u64 = 300;

/// The longest life of a challenge, in seconds.
pub const LONGEST_LIFE: u64 = 3600;

/// For how many seconds a challenge is kept after its expiry: a late code is then refused as expired.
const KEPT: u64 = 3600;

/// The maximum number of challenges that an entity keeps.
pub const MOST_CHALLENGES: usize = 100;

/// A challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Its SID.
    pub sid: ChallengeSid,
    /// The factor whose code approves it.
    pub factor: FactorSid,
    /// When it was created.
    pub created_at: Timestamp,
    /// When a code was compared last, or else when it was created.
    pub updated_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was approved.
    pub approved_at: Option<Timestamp>,
    /// Wrong codes so far.
    pub wrong: u64,
}

/// A challenge to be created.
#[derive(Clone, Copy, Debug)]
pub struct ChallengeRequest {
    /// Its SID.
    pub sid: ChallengeSid,
    /// The factor whose code approves it.
    pub factor: FactorSid,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// The state of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeStatus {
    /// It waits for a code.
    Pending,
    /// It has expired without the right code.
    Expired,
    /// Its code was right.
    Approved,
}

impl ChallengeStatus {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Expired => "expired",
            Self::Approved => "approved",
        }
    }
}

/// The order of a list, by time of creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The oldest first.
    #[default]
    Ascending,
    /// The newest first.
    Descending,
}

impl ChallengeRequest {
    /// The challenge, without a code yet.
    pub(super) fn created(self, now: Timestamp) -> Challenge {
        Challenge {
            sid: self.sid,
            factor: self.factor,
            created_at: now,
            updated_at: now,
            expires_at: self.expires_at,
            approved_at: None,
            wrong: 0,
        }
    }
}

impl Challenge {
    /// Its state.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> ChallengeStatus {
        match self.approved_at {
            Some(_) => ChallengeStatus::Approved,
            None if self.expires_at.is_expired(now) => ChallengeStatus::Expired,
            None => ChallengeStatus::Pending,
        }
    }

    /// Whether it is no longer kept.
    #[must_use]
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        self.expires_at.deadline(KEPT).is_expired(now)
    }
}
