//! One-time passcodes with a purpose (docs/contract.md, Passcodes).
//!
//! A row is found by its passcode alone, and by its id: the row's key is a keyed digest of the passcode, its client,
//! username and purpose, and the same 80 bits are the random part of the id, a ULID. There is no index, no search, and
//! no stored plain text.

use hmac::{Hmac, KeyInit, Mac};
use rand::TryCryptoRng;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use ulid::Ulid;

use super::{
    crypto::{
        key::{Key, Keyring, Passcodes},
        secret::{NoEntropy, Secret, framed, random_text},
    },
    limits::rate_limit::RateLimit,
    people::id::ClientId,
    time::Timestamp,
};

/// The form of a passcode: its length and its alphabet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    length: usize,
    alphabet: Vec<u8>,
}

impl Shape {
    /// A shape of 4 to 128 characters over 2 to 94 different visible ASCII characters, with at least a million values.
    ///
    /// # Errors
    /// The error message for the operator.
    pub fn new(length: usize, alphabet: &str) -> Result<Self, &'static str> {
        let mut sorted = alphabet.as_bytes().to_vec();
        sorted.sort_unstable();
        if !(2..=94).contains(&sorted.len()) || sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("an alphabet has 2 to 94 characters, each once");
        }
        if !sorted.iter().all(u8::is_ascii_graphic) {
            return Err("an alphabet has visible ASCII characters only");
        }
        if !(4..=128).contains(&length) {
            return Err("a passcode has 4 to 128 characters");
        }
        let shape = Self {
            length,
            alphabet: alphabet.as_bytes().to_vec(),
        };
        if shape.bits() < 1_000_000_f64.log2() - 1e-9 {
            return Err("a passcode has at least a million values");
        }
        Ok(shape)
    }

    /// Whether the passcode is short (fewer than 2^64 values), so that guesses must be rate limited against brute
    /// force.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.bits() < 64.0
    }

    /// Whether a text could be a passcode of this shape. Any other text does not count as a guess.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        text.len() == self.length && text.bytes().all(|b| self.alphabet.contains(&b))
    }

    #[expect(clippy::cast_precision_loss, reason = "lengths and alphabets are far below 2^52")]
    fn bits(&self) -> f64 {
        (self.alphabet.len() as f64).log2() * self.length as f64
    }
}

/// The operator's policy for passcodes.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The default shape.
    pub shape: Shape,
    /// Purposes with a shape of their own.
    pub by_purpose: BTreeMap<String, Shape>,
    /// Lifetime in seconds; 600 by default, and the maximum if any shape is short (ASVS 6.5.5).
    pub lifetime: u64,
    /// For how many seconds after its expiry a passcode's status can be retrieved.
    pub retention: u64,
    /// The rate limit of guesses at short passcodes, per client, username and purpose.
    pub guesses: RateLimit,
    /// The rate limit of issuing short passcodes, per the same key: a guess can match any live one.
    pub issues: RateLimit,
}

impl Policy {
    /// The shape of a purpose's passcodes.
    #[must_use]
    pub fn shape(&self, purpose: &str) -> &Shape {
        self.by_purpose.get(purpose).unwrap_or(&self.shape)
    }
}

/// A username or a purpose: 1 to 256 bytes of UTF-8 without control characters, compared exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// Parses a label; `None` when it is empty, too long or has a control character.
    #[must_use]
    pub fn parse(text: String) -> Option<Self> {
        ((1..=256).contains(&text.len()) && !text.chars().any(char::is_control)).then_some(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a passcode is bound to (ASVS 6.6.2); it is invalid for anything else.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The client that requested it.
    pub client: ClientId,
    /// The user that it is for.
    pub username: Label,
    /// What it is for.
    pub purpose: Label,
}

impl Binding {
    /// The rate limit key of guesses at short passcodes.
    #[must_use]
    pub fn guesses_key(&self) -> [u8; 32] {
        Sha256::digest(framed(&[b"passcode guesses", &self.bytes()])).into()
    }

    /// The rate limit key of issuing short passcodes.
    #[must_use]
    pub fn issues_key(&self) -> [u8; 32] {
        Sha256::digest(framed(&[b"passcode issues", &self.bytes()])).into()
    }

    fn bytes(&self) -> Vec<u8> {
        framed(&[
            self.client.as_str().as_bytes(),
            self.username.as_str().as_bytes(),
            self.purpose.as_str().as_bytes(),
        ])
    }
}

/// The key of a passcode's row: 80 bits of a keyed digest, as the 16 characters that end the passcode's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle(String);

impl Handle {
    /// The key of this passcode's row.
    #[must_use]
    pub fn of(key: &Key<Passcodes>, binding: &Binding, passcode: &Secret) -> Self {
        Self(id_of(key, binding, passcode, 0).split_off(10))
    }

    /// The text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn id_of(key: &Key<Passcodes>, binding: &Binding, passcode: &Secret, millis: u64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("HMAC takes a key of any length");
    mac.update(&framed(&[b"passcode", &binding.bytes(), passcode.expose().as_bytes()]));
    let digest = mac.finalize().into_bytes();
    let random = digest.iter().take(10).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    Ulid::from_parts(millis, random).to_string()
}

/// The id of a passcode: a ULID in its canonical form. Not a secret, and useless as a passcode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasscodeId(String);

impl PasscodeId {
    /// Parses an id, case-insensitively; `None` for anything but a ULID of the canonical alphabet.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = Ulid::from_string(text).ok()?.to_string();
        id.eq_ignore_ascii_case(text).then_some(Self(id))
    }

    /// The 26 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in the log.
    #[must_use]
    pub fn log_name(&self) -> String {
        format!("passcode:{}", self.0)
    }

    /// The key of the row.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(self.0[10..].to_owned())
    }
}

/// The use of a single-use passcode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// When it was used.
    pub at: Timestamp,
    /// The invocation that used it, so that its own retry after a lost response succeeds.
    pub by: String,
}

/// A passcode as stored. The row has neither the username nor the purpose: they are in the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passcode {
    /// The passcode's id.
    pub id: PasscodeId,
    /// The client that may retrieve it.
    pub client: ClientId,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires: from then on it cannot be consumed.
    pub expires_at: Timestamp,
    /// When the row expires: from then on the passcode is unknown.
    pub forget_at: Timestamp,
    /// Whether it was consumed or invalidated.
    pub used: Option<Used>,
}

impl Passcode {
    /// Issues a passcode: the row, and the text for the caller.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn issue(
        policy: &Policy,
        binding: &Binding,
        keys: &Keyring<Passcodes>,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<(Self, Secret), NoEntropy> {
        let shape = policy.shape(binding.purpose.as_str());
        let text = random_text(rng, &shape.alphabet, shape.length)?;
        let expires_at = now.deadline(policy.lifetime);
        let passcode = Self {
            id: PasscodeId(id_of(keys.signing(), binding, &text, now.millis())),
            client: binding.client.clone(),
            issued_at: now,
            expires_at,
            forget_at: expires_at.deadline(policy.retention),
            used: None,
        };
        Ok((passcode, text))
    }

    /// Whether it can be consumed.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.used.is_none() && !self.expires_at.is_expired(now)
    }

    /// Whether this invocation is the one that used it: the store's first response was lost, and this is a retry.
    #[must_use]
    pub fn was_used_by(&self, invocation: &str) -> bool {
        self.used.as_ref().is_some_and(|used| used.by == invocation)
    }
}

#[cfg(test)]
mod tests;
