//! Factors: authenticator apps whose codes an entity answers challenges with.

use rand::TryCryptoRng;

use super::parts::{EntityId, Refused};
use crate::domain::{
    crypto::{
        encryption::Encrypted,
        key::{Keyring, TotpSecrets},
        secret::NoEntropy,
    },
    limits::rate_limit::Hit,
    time::Timestamp,
    totp::{Algorithm, Parameters, Step, TotpSecret},
    verification::sid::FactorSid,
};

/// The maximum number of factors of an entity.
pub const MOST_FACTORS: usize = 20;

/// The name of a factor, as an authenticator app shows it: 1 to 64 characters without controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactorName(String);

impl FactorName {
    /// `None` when it is empty, too long or has a control character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let length = text.chars().take(65).count();
        ((1..=64).contains(&length) && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Factor {
    /// Its SID.
    pub sid: FactorSid,
    /// Its name.
    pub name: FactorName,
    /// How its codes are computed.
    pub parameters: Parameters,
    /// The secret that the app shares with us.
    pub secret: Encrypted,
    /// Whether a code has proved that the app has the secret.
    pub is_verified: bool,
    /// The last step whose code was accepted.
    pub last_step: Option<Step>,
    /// Wrong codes while it was not verified, oldest first.
    pub failures: Vec<Hit>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was changed or verified last.
    pub updated_at: Timestamp,
}

/// A factor to be created.
#[derive(Debug)]
pub struct FactorRequest {
    /// Its name.
    pub name: FactorName,
    /// How its codes are computed.
    pub parameters: Parameters,
    /// Its secret.
    pub secret: TotpSecret,
}

/// A change of a factor: what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactorChange {
    /// The name.
    pub name: Option<FactorName>,
    /// The hash function.
    pub algorithm: Option<Algorithm>,
    /// The length of a step, in seconds.
    pub period: Option<u64>,
    /// Steps that are accepted on either side of the current one.
    pub skew: Option<u64>,
    /// Digits of a code.
    pub digits: Option<usize>,
}

impl Factor {
    /// A new factor, not verified.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn new(
        id: &EntityId,
        keys: &Keyring<TotpSecrets>,
        request: &FactorRequest,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<Self, NoEntropy> {
        let sid = FactorSid::random(rng)?;
        let secret = request.secret.to_base32();
        Ok(Self {
            sid,
            name: request.name.clone(),
            parameters: request.parameters,
            secret: Encrypted::close(keys, &context(id, &sid), &secret, rng)?,
            is_verified: false,
            last_step: None,
            failures: Vec::new(),
            created_at: now,
            updated_at: now,
        })
    }

    /// The factor after its code was given, if it is accepted now: the step is used up, and the secret is encrypted with
    /// the newest key.
    pub(super) fn accepting(
        &self,
        id: &EntityId,
        keys: &Keyring<TotpSecrets>,
        given: &str,
        (now, rng): (Timestamp, &mut impl TryCryptoRng),
    ) -> Result<Option<Self>, Refused> {
        let context = context(id, &self.sid);
        let text = self.secret.open(keys, &context).map_err(|_| Refused::Unreadable)?;
        let secret = TotpSecret::parse(text.expose()).ok_or(Refused::Unreadable)?;
        let Some(step) = self.parameters.matching(&secret, given, self.last_step, now) else {
            return Ok(None);
        };
        let mut next = self.clone();
        next.last_step = Some(step);
        if next.secret.key != keys.signing().id() {
            // Without entropy the old key still decrypts it.
            next.secret = Encrypted::close(keys, &context, &text, rng).unwrap_or(next.secret);
        }
        Ok(Some(next))
    }

    pub(super) fn set(&mut self, change: &FactorChange, now: Timestamp) {
        let read = self.parameters;
        self.name = change.name.clone().unwrap_or_else(|| self.name.clone());
        self.parameters = Parameters {
            algorithm: change.algorithm.unwrap_or(read.algorithm),
            period: change.period.unwrap_or(read.period),
            skew: change.skew.unwrap_or(read.skew),
            digits: change.digits.unwrap_or(read.digits),
        };
        // Steps of another length are other steps: the moments up to the end of the last one stay used up.
        if self.parameters.period != read.period {
            self.last_step = self.last_step.map(|step| {
                let end = step.get().saturating_add(1).saturating_mul(read.period);
                self.parameters.step(Timestamp::from_seconds(end - 1))
            });
        }
        self.updated_at = now;
    }
}

/// What the secret is encrypted for: moved to another factor, it does not decrypt.
fn context<'a>(id: &'a EntityId, sid: &'a FactorSid) -> [&'a [u8]; 4] {
    [
        b"entity factor",
        id.service.bytes(),
        id.identity.as_str().as_bytes(),
        sid.bytes(),
    ]
}
