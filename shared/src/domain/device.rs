//! Known devices (docs/contract.md, Known devices): a login that presents a device's token is judged in a lane of its
//! own, as OWASP describes it for device cookies. Failures of others neither block the device nor count against it; its
//! own failures count on the device only.
//!
//! All devices of a user are one record. A rule checks the record as read and returns its replacement, which the store
//! accepts only while the version is unchanged (optimistic locking). Each device is bound to the user's generation, so
//! that whatever ends all tokens ends all devices in the same write.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::TryCryptoRng;
use sha2::{Digest as _, Sha256};

use super::{
    auth::lockout::Lane,
    crypto::secret::{Digest, NoEntropy, Secret, framed, random_bytes},
    limits::rate_limit::{Hit, RateLimit, RateLimited},
    people::{
        factor::{Factor, Value},
        id::{ClientId, DeviceId, UserId},
        user::User,
    },
    time::Timestamp,
};

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

/// Wrong passwords and codes in a row that make a device unknown.
pub const FAILURES: u64 = 5;

/// Devices of one user. One more replaces the device that was used longest ago.
pub const MOST: usize = 20;

/// Random bytes of a device's secret: 256 bits.
const SECRET: usize = 32;

/// Bytes of an id in a device's token.
const ID: usize = 16;

/// For how many seconds a record without devices is kept, so that its version is not used twice: longer than any
/// function runs.
const MEMORY: u64 = 86_400;

/// The operator's policy of known devices.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Lifetime of a device's token, in seconds.
    pub lifetime: u64,
    /// For how many seconds a device is remembered, so that logins from it need no second factor; 0: never.
    pub remembered: u64,
}

impl Policy {
    /// What makes a device remembered after a login that a second factor completed, with the user's factors as they are
    /// now; `None` if no device is remembered. Recovery codes are no such factor.
    #[must_use]
    pub fn remember(&self, factors: &[Factor], now: Timestamp) -> Option<Remembered> {
        (self.remembered > 0).then(|| Remembered {
            until: now.deadline(self.remembered),
            factors: fingerprint(factors),
        })
    }
}

/// A device that needs no second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Remembered {
    /// When it is remembered no longer.
    pub until: Timestamp,
    /// The factors that it depends on: [`fingerprint`] at the time.
    pub factors: [u8; 32],
}

/// A token of a device.
#[derive(Clone, Debug)]
pub struct DeviceToken {
    /// Digest of the whole text.
    pub digest: Digest,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// A known device.
#[derive(Clone, Debug)]
pub struct Device {
    /// The id that callers refer to.
    pub id: DeviceId,
    /// The newest token.
    pub token: DeviceToken,
    /// The token that it replaced. It stays valid until it expires, or until the next replacement: a response with a new
    /// token may be lost, and must not put the owner among unknown devices.
    pub previous: Option<DeviceToken>,
    /// Known while this is the generation of the user's tokens.
    pub generation: u64,
    /// The client that the user logged in with.
    pub client: ClientId,
    /// When it was added.
    pub added_at: Timestamp,
    /// The last login that was completed from it.
    pub last_used_at: Timestamp,
    /// Wrong passwords since the last login that was completed from it.
    pub failures: u64,
    /// Guesses at second factors from it, oldest first. Neither a login nor another token resets them.
    pub guesses: Vec<Hit>,
    /// Whether logins from it need no second factor.
    pub remembered: Option<Remembered>,
}

/// The known devices of a user.
#[derive(Clone, Debug)]
pub struct Devices {
    /// The user.
    pub user: UserId,
    /// The version for optimistic locking: each replacement has the next number. 0: nothing is stored yet.
    pub version: u64,
    /// The devices, in the order in which they were added.
    pub list: Vec<Device>,
    /// When the TTL sweep may delete the row.
    pub forget_at: Timestamp,
}

/// The fields of a device's new token.
#[derive(Clone, Debug)]
pub struct NewDevice<'a> {
    /// The user, as read.
    pub user: &'a User,
    /// The client that the user logs in with.
    pub client: &'a ClientId,
    /// The known device that gets another token, and keeps its id.
    pub renewed: Option<&'a Device>,
    /// The token that it presented; `None` for its newest one.
    pub presented: Option<&'a Secret>,
    /// Whether logins from it will need no second factor; `None` leaves a renewed device as it is.
    pub remembered: Option<Remembered>,
}

impl Device {
    /// Issues a device's token: the device to store, and the text, which is shown once.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn issue(
        new: NewDevice<'_>,
        policy: &Policy,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<(Self, Secret), NoEntropy> {
        let NewDevice {
            user,
            client,
            renewed,
            presented,
            remembered,
        } = new;
        let id = match renewed {
            Some(device) => device.id,
            None => DeviceId::draw(rng)?,
        };
        let secret: [u8; SECRET] = random_bytes(rng)?;
        let text = Secret::new(URL_SAFE_NO_PAD.encode([&id.as_bytes()[..], &secret].concat()));
        // Whole seconds, as stored.
        let at = now.deadline(0);
        let device = Self {
            id,
            token: DeviceToken {
                digest: Digest::of(&text),
                expires_at: now.deadline(policy.lifetime),
            },
            previous: renewed.map(|device| device.token_of(presented).unwrap_or(&device.token).clone()),
            generation: user.token_generation,
            client: client.clone(),
            added_at: renewed.map_or(at, |device| device.added_at),
            last_used_at: at,
            failures: 0,
            guesses: renewed.map_or_else(Vec::new, |device| device.guesses.clone()),
            remembered: remembered.or_else(|| renewed?.remembered),
        };
        Ok((device, text))
    }

    /// Whether the newest token has not expired, and nothing has ended the device.
    #[must_use]
    pub fn is_live(&self, user: &User, now: Timestamp) -> bool {
        self.generation == user.token_generation && !self.token.expires_at.is_expired(now)
    }

    /// Which of the device's tokens that text is.
    fn token_of(&self, text: Option<&Secret>) -> Option<&DeviceToken> {
        let digest = Digest::of(text?);
        [Some(&self.token), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|token| token.digest.matches(&digest))
    }

    /// Whether the device has its own lane. After too many failures it shares that of unknown devices, and while an
    /// administrator blocks the user there is no other lane.
    fn is_known(&self, user: &User, now: Timestamp) -> bool {
        let is_blocked = user.lockout.active_block_of(Lane::KnownDevice, now).is_some();
        self.is_live(user, now) && self.failures < FAILURES && !is_blocked
    }

    /// Whether a login from this known device needs no second factor: an administrator's always does.
    #[must_use]
    pub fn skips_factors(&self, policy: &Policy, user: &User, factors: &[Factor], now: Timestamp) -> bool {
        let is_remembered =
            |remembered: Remembered| !remembered.until.is_expired(now) && remembered.factors == fingerprint(factors);
        policy.remembered > 0 && !user.is_admin && self.remembered.is_some_and(is_remembered)
    }

    /// Counts a guess at a second factor in the device's own rolling rate limit: the device to store before the guess is
    /// compared.
    ///
    /// # Errors
    /// [`RateLimited`]: the guess may not be compared.
    pub fn judge_guess(&self, limit: &RateLimit, hit: &Hit) -> Result<Self, RateLimited> {
        Ok(Self {
            guesses: limit.spend(&self.guesses, hit)?,
            ..self.clone()
        })
    }
}

impl Devices {
    /// The record of a user without devices.
    #[must_use]
    pub fn none(user: UserId) -> Self {
        Self {
            user,
            version: 0,
            list: Vec::new(),
            forget_at: Timestamp::from_seconds(0),
        }
    }

    /// The user's known device with that token. Any other text belongs to an unknown device.
    #[must_use]
    pub fn known(&self, user: &User, text: &Secret, now: Timestamp) -> Option<&Device> {
        let device = self.known_by_id(user, id_of(text)?, now)?;
        let token = device.token_of(Some(text))?;
        (!token.expires_at.is_expired(now)).then_some(device)
    }

    /// The user's known device of that id, for a login that began with its token.
    #[must_use]
    pub fn known_by_id(&self, user: &User, id: DeviceId, now: Timestamp) -> Option<&Device> {
        self.get(id).filter(|device| self.user == user.id && device.is_known(user, now))
    }

    /// The device of that id, known or not.
    #[must_use]
    pub fn get(&self, id: DeviceId) -> Option<&Device> {
        self.list.iter().find(|device| device.id == id)
    }

    /// The user's devices whose tokens have not expired, and that nothing has ended.
    pub fn live<'a>(&'a self, user: &'a User, now: Timestamp) -> impl Iterator<Item = &'a Device> {
        self.list.iter().filter(move |device| self.user == user.id && device.is_live(user, now))
    }

    /// The record after a wrong password from a device.
    #[must_use]
    pub fn failed(&self, id: DeviceId, now: Timestamp) -> Self {
        self.changed(id, now, |device| device.failures += 1)
    }

    /// The record with a device's guess at a second factor ([`Device::judge_guess`]).
    #[must_use]
    pub fn guessed(&self, device: Device, now: Timestamp) -> Self {
        self.changed(device.id, now, |found| found.guesses = device.guesses)
    }

    /// The record after a login that was completed from a device: its failures are reset.
    #[must_use]
    pub fn completed(&self, id: DeviceId, now: Timestamp) -> Self {
        self.changed(id, now, |device| {
            device.failures = 0;
            device.last_used_at = now.deadline(0);
        })
    }

    /// The record with a device, which replaces that of the same id. Devices that have expired, or that are of an earlier
    /// generation, are removed, and of too many the one that was used longest ago.
    #[must_use]
    pub fn with(&self, device: Device, now: Timestamp) -> Self {
        let mut list = self.list.clone();
        list.retain(|other| other.generation == device.generation && !other.token.expires_at.is_expired(now));
        match list.iter_mut().find(|other| other.id == device.id) {
            Some(other) => *other = device,
            None => {
                if list.len() >= MOST {
                    let oldest = (0..list.len()).min_by_key(|index| list[*index].last_used_at);
                    oldest.map(|index| list.remove(index));
                }
                list.push(device);
            }
        }
        self.following(list, now)
    }

    /// The record without that device.
    #[must_use]
    pub fn without(&self, id: DeviceId, now: Timestamp) -> Self {
        let kept = self.list.iter().filter(|device| device.id != id);
        self.following(kept.cloned().collect(), now)
    }

    /// The record without any device.
    #[must_use]
    pub fn without_all(&self, now: Timestamp) -> Self {
        self.following(Vec::new(), now)
    }

    fn changed(&self, id: DeviceId, now: Timestamp, change: impl FnOnce(&mut Device)) -> Self {
        let mut list = self.list.clone();
        if let Some(device) = list.iter_mut().find(|device| device.id == id) {
            change(device);
        }
        self.following(list, now)
    }

    fn following(&self, list: Vec<Device>, now: Timestamp) -> Self {
        let forget_at = list.iter().map(|device| device.token.expires_at).fold(now.deadline(MEMORY), Timestamp::max);
        Self {
            user: self.user,
            version: self.version + 1,
            list,
            forget_at,
        }
    }
}

/// The id that a device's token names; `None` for texts that we cannot have issued.
fn id_of(text: &Secret) -> Option<DeviceId> {
    let bytes = URL_SAFE_NO_PAD.decode(text.expose()).ok()?;
    let id = bytes.first_chunk().filter(|_| bytes.len() == ID + SECRET)?;
    Some(DeviceId::from_bytes(*id))
}

/// The user's factors as they are now: any change of a factor gives another value. Their order does not matter.
#[must_use]
pub fn fingerprint(factors: &[Factor]) -> [u8; 32] {
    let fingerprint_of = |factor: &Factor| {
        let value = match &factor.value {
            Value::Sms(phone) => phone.as_ref().map_or(&[][..], |phone| phone.number.as_str().as_bytes()),
            // The same secret under another key is no change of the factor.
            Value::Totp(secret) => secret.as_ref().map_or(&[][..], |_| &b"set"[..]),
            // Using one up is no change of the factors.
            Value::RecoveryCodes(_) => &[],
        };
        framed(&[
            factor.id.text().as_bytes(),
            factor.factor_type().name().as_bytes(),
            &[u8::from(factor.is_active)],
            &factor.updated_at.seconds().to_be_bytes(),
            value,
        ])
    };
    let mut parts: Vec<_> = factors.iter().map(fingerprint_of).collect();
    parts.sort_unstable();
    let parts: Vec<&[u8]> = std::iter::once(&b"factors"[..]).chain(parts.iter().map(Vec::as_slice)).collect();
    Sha256::digest(framed(&parts)).into()
}
