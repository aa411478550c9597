//! The names of entities, and why what is asked of them is refused.

use crate::domain::{limits::rate_limit::RateLimited, verification::sid::ServiceSid};

/// The name that an application gives an entity: 8 to 64 letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity(String);

impl Identity {
    /// `None` when it is too short or too long, or has another character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        ((8..=64).contains(&text.len()) && text.bytes().all(is_plain)).then(|| Self(text.to_owned()))
    }

    /// The first in the order of their bytes.
    #[must_use]
    pub fn first() -> Self {
        Self("-".repeat(8))
    }

    /// The identity.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityId {
    /// The service.
    pub service: ServiceSid,
    /// The entity's name in it.
    pub identity: Identity,
}

/// Why a change or a code is refused. No code was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such entity, factor or challenge.
    NotFound,
    /// The identity has an entity already.
    Exists,
    /// The entity has as many factors as it may have.
    TooManyFactors,
    /// All challenges that are kept are pending.
    TooManyChallenges(RateLimited),
    /// The challenge is for a factor that the entity does not have.
    NoFactor,
    /// The factor must be verified first.
    FactorNotVerified,
    /// The factor is verified already, and takes no other code for that.
    AlreadyVerified,
    /// The challenge was approved already, and takes no other code.
    AlreadyApproved,
    /// The challenge has expired.
    Expired,
    /// Too many codes were compared: no other one is compared for the factor yet.
    FactorLimited(RateLimited),
    /// Too many codes were compared: no other one is compared for the challenge yet.
    ChallengeLimited(RateLimited),
    /// The factor's secret does not decrypt: its key was deleted.
    Unreadable,
}
