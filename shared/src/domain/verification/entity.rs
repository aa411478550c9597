//! Entities: users as an application names them, with their second factors (authenticator apps) and the challenges that
//! they answer with codes.
//!
//! One record for each service and identity. As with [`super::record`], a rule judges the record as it was read and returns
//! its replacement; the store accepts that only while the version is unchanged (optimistic locking), and the caller is
//! answered only afterwards. So concurrent codes are compared one after the other, none is compared without being counted,
//! and a step is accepted once.

mod challenge;
mod factor;
mod guess;
mod parts;
mod record;
#[cfg(test)]
mod tests;

pub use self::{
    challenge::{Challenge, ChallengeRequest, ChallengeStatus, DEFAULT_LIFE, LONGEST_LIFE, MOST_CHALLENGES, Order},
    factor::{Factor, FactorChange, FactorName, FactorRequest, MOST_FACTORS},
    guess::{Guessed, TotpCode},
    parts::{EntityId, Identity, Refused},
    record::{Entity, EntityRecord},
};
