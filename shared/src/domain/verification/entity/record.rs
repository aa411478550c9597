//! The record of an identity, with its entity.

use super::{
    challenge::Challenge,
    factor::{Factor, FactorChange, MOST_FACTORS},
    parts::{EntityId, Refused},
};
use crate::domain::{
    time::Timestamp,
    verification::{
        policy::{GuessLedger, VerificationPolicy},
        sid::{ChallengeSid, EntitySid, FactorSid},
    },
};

/// What is stored about one identity of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityRecord {
    /// Its key.
    pub id: EntityId,
    /// The version for optimistic locking. 0: nothing is stored yet.
    pub version: u64,
    /// The codes that were compared, for any factor and challenge. Neither a new challenge, nor a new factor, nor the
    /// deletion of a factor or of the entity resets it.
    pub ledger: GuessLedger,
    /// The entity; `None` before it is created and after it was deleted.
    pub entity: Option<Entity>,
    /// When the TTL sweep may delete the row: after the entity was deleted, once no guess counts. `None` while there is
    /// an entity.
    pub forget_at: Option<Timestamp>,
}

/// An entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// Its SID.
    pub sid: EntitySid,
    /// When it was created.
    pub created_at: Timestamp,
    /// When a factor was added or removed last.
    pub updated_at: Timestamp,
    /// Its factors, in order of creation.
    pub factors: Vec<Factor>,
    /// The recent challenges of its factors, in order of creation.
    pub challenges: Vec<Challenge>,
}

impl EntityRecord {
    /// The record of an identity about which nothing is stored.
    #[must_use]
    pub fn none(id: EntityId) -> Self {
        Self {
            id,
            version: 0,
            ledger: GuessLedger::default(),
            entity: None,
            forget_at: None,
        }
    }

    /// The factor of that SID.
    #[must_use]
    pub fn factor(&self, sid: FactorSid) -> Option<&Factor> {
        self.entity.as_ref()?.factors.iter().find(|factor| factor.sid == sid)
    }

    /// The challenge of that SID, unless it is forgotten.
    #[must_use]
    pub fn challenge(&self, sid: ChallengeSid, now: Timestamp) -> Option<&Challenge> {
        self.challenges(now).find(|challenge| challenge.sid == sid)
    }

    /// The challenges that are not forgotten, in order of creation.
    pub fn challenges(&self, now: Timestamp) -> impl Iterator<Item = &Challenge> {
        let all = self.entity.iter().flat_map(|entity| &entity.challenges);
        all.filter(move |challenge| !challenge.is_forgotten(now))
    }

    /// Creates the entity. Guesses at the codes of one that was deleted still count.
    ///
    /// # Errors
    /// [`Refused::Exists`].
    pub fn create(self, sid: EntitySid, now: Timestamp) -> Result<Self, Refused> {
        match self.entity {
            Some(_) => Err(Refused::Exists),
            None => Ok(self.with_entity(sid, now)),
        }
    }

    /// Deletes the entity, its factors and its challenges. The guesses stay for as long as they count.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn delete(self, policy: &VerificationPolicy, now: Timestamp) -> Result<Self, Refused> {
        if self.entity.is_none() {
            return Err(Refused::NotFound);
        }
        let counting = self.ledger.0.iter().map(|guess| guess.at.deadline(policy.guesses.memory()));
        Ok(Self {
            version: self.version + 1,
            forget_at: Some(counting.fold(now, Timestamp::max)),
            entity: None,
            ..self
        })
    }

    /// Adds a factor; creates the entity with that SID if there is none.
    ///
    /// # Errors
    /// [`Refused::TooManyFactors`].
    pub fn add_factor(self, sid: EntitySid, factor: Factor, now: Timestamp) -> Result<Self, Refused> {
        let mut next = match self.entity {
            Some(_) => self.following(now),
            None => self.with_entity(sid, now),
        };
        let entity = next.entity.as_mut().expect("there is one, or it was created");
        if entity.factors.len() >= MOST_FACTORS {
            return Err(Refused::TooManyFactors);
        }
        entity.updated_at = now;
        entity.factors.push(factor);
        Ok(next)
    }

    /// Changes a factor's name or parameters.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn change_factor(self, sid: FactorSid, change: &FactorChange, now: Timestamp) -> Result<Self, Refused> {
        let mut next = self.following(now);
        let factor = next.factor_mut(sid).ok_or(Refused::NotFound)?;
        factor.set(change, now);
        Ok(next)
    }

    /// Deletes a factor and its challenges.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn delete_factor(self, sid: FactorSid, now: Timestamp) -> Result<Self, Refused> {
        self.factor(sid).ok_or(Refused::NotFound)?;
        let mut next = self.following(now);
        if let Some(entity) = &mut next.entity {
            entity.updated_at = now;
            entity.factors.retain(|factor| factor.sid != sid);
            entity.challenges.retain(|challenge| challenge.factor != sid);
        }
        Ok(next)
    }

    /// The record that may replace this one, with an entity.
    fn with_entity(self, sid: EntitySid, now: Timestamp) -> Self {
        Self {
            version: self.version + 1,
            forget_at: None,
            entity: Some(Entity {
                sid,
                created_at: now,
                updated_at: now,
                factors: Vec::new(),
                challenges: Vec::new(),
            }),
            ..self
        }
    }

    /// The record that may replace this one, without challenges that are forgotten.
    pub(super) fn following(self, now: Timestamp) -> Self {
        let mut next = Self {
            version: self.version + 1,
            ..self
        };
        if let Some(entity) = &mut next.entity {
            entity.challenges.retain(|challenge| !challenge.is_forgotten(now));
        }
        next
    }

    pub(super) fn factor_mut(&mut self, sid: FactorSid) -> Option<&mut Factor> {
        self.entity.as_mut()?.factors.iter_mut().find(|factor| factor.sid == sid)
    }
}
