//! The operator's policy for verifications, their keys, and the ledger of guesses.

use rand::TryCryptoRng;

use super::destination::DestinationId;
use crate::domain::{
    crypto::{
        encryption::Encrypted,
        key::{DestinationNames, Destinations, Keyring, VerificationCodes, Verifications},
        secret::{NoEntropy, Secret},
    },
    limits::rate_limit::{Hit, RateLimit, RateLimited},
};

/// The operator's policy for verifications.
#[derive(Clone, Debug)]
pub struct VerificationPolicy {
    /// Life of a verification, in seconds, from its first message (VERIFY_LIFETIME); at most 600 (ASVS 6.5.5).
    pub lifetime: u64,
    /// The rate limit of messages of one service to one destination.
    pub sends: RateLimit,
    /// The maximum number of wrong codes for one verification.
    pub max_attempts: u64,
    /// The rate limit of guesses at the codes of all services of an account for one destination, right or wrong.
    pub guesses: RateLimit,
}

impl VerificationPolicy {
    /// For how many seconds a record is kept after its last change.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.lifetime.max(self.sends.memory()).max(self.guesses.memory())
    }
}

/// The guesses at the codes of one destination, oldest first. Neither a resend, nor a new verification, nor a cancel
/// resets it; nor does another service of the account or another source address (NIST SP 800-63B-4, 3.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuessLedger(pub Vec<Hit>);

impl GuessLedger {
    /// Counts a guess that is compared.
    ///
    /// # Errors
    /// [`RateLimited`] when a window is full: then it may not be compared.
    pub fn compare(&self, policy: &VerificationPolicy, act: &Hit) -> Result<Self, RateLimited> {
        policy.guesses.spend(&self.0, act).map(Self)
    }
}

/// The keys of verifications.
#[derive(Debug)]
pub struct VerificationKeys {
    /// Derives codes.
    pub codes: Keyring<VerificationCodes>,
    /// Encrypts destinations.
    pub destinations: Keyring<Destinations>,
    /// Computes the keys of records.
    pub names: Keyring<DestinationNames>,
}

impl VerificationKeys {
    /// Derives them from their root.
    #[must_use]
    pub fn of(root: &Keyring<Verifications>) -> Self {
        Self {
            codes: root.derive(),
            destinations: root.derive(),
            names: root.derive(),
        }
    }

    /// Encrypts a text for the record of a destination.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn encrypt(&self, id: &DestinationId, text: &str, rng: &mut impl TryCryptoRng) -> Result<Encrypted, NoEntropy> {
        Encrypted::close(&self.destinations, &[b"destination", id.bytes()], &Secret::new(text.to_owned()), rng)
    }

    /// Decrypts such a text; `None` if its key was deleted, or it is another record's.
    #[must_use]
    pub fn decrypt(&self, id: &DestinationId, text: &Encrypted) -> Option<Secret> {
        text.open(&self.destinations, &[b"destination", id.bytes()]).ok()
    }
}
