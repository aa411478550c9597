//! Keys with ids, one key ring for each purpose: the newest signs and encrypts, every live one verifies and decrypts
//! (ASVS 11.1.1, 11.2.2, 13.3.4). A key of one purpose does not fit another: the types differ.
//!
//! A new key is distributed before it signs: functions load it at different moments, and all of them must be able to
//! verify what one of them signs.

use std::{fmt, marker::PhantomData};

use hkdf::Hkdf;
use sha2::Sha256;

use super::secret::Secret;
use crate::domain::time::Timestamp;

/// What a key is for.
pub trait Purpose: std::fmt::Debug + 'static {
    /// Part of the derivation, so that one secret used twice by mistake still gives two keys.
    const NAME: &'static str;
    /// The longest lifetime in seconds, under any settings, of what such a key signs or encrypts: an old key must be
    /// kept that long.
    const LONGEST_LIFE: u64;
}

/// Encrypts support PINs.
#[derive(Clone, Copy, Debug)]
pub enum SupportPins {}
impl Purpose for SupportPins {
    const NAME: &'static str = "countersign support pins";
    const LONGEST_LIFE: u64 = 7 * 86_400;
}

/// Computes the keyed digests of passcodes.
#[derive(Clone, Copy, Debug)]
pub enum Passcodes {}
impl Purpose for Passcodes {
    const NAME: &'static str = "countersign passcodes";
    const LONGEST_LIFE: u64 = 86_400;
}

/// Computes the keyed digests of codes by text message.
#[derive(Clone, Copy, Debug)]
pub enum OtpCodes {}
impl Purpose for OtpCodes {
    const NAME: &'static str = "countersign otps";
    const LONGEST_LIFE: u64 = 600;
}

/// Encrypts responses stored for idempotency.
#[derive(Clone, Copy, Debug)]
pub enum Answers {}
impl Purpose for Answers {
    const NAME: &'static str = "countersign answers";
    const LONGEST_LIFE: u64 = 86_400;
}

/// Derives the codes of verifications, encrypts their destinations, and finds their rows.
#[derive(Clone, Copy, Debug)]
pub enum Verifications {}
impl Purpose for Verifications {
    const NAME: &'static str = "countersign verifications";
    /// Destinations are encrypted for as long as guesses at their codes count.
    const LONGEST_LIFE: u64 = 31 * 86_400;
}

/// Encrypts the secrets of authenticator apps, and computes the keyed digests of recovery codes.
#[derive(Clone, Copy, Debug)]
pub enum Factors {}
impl Purpose for Factors {
    const NAME: &'static str = "countersign factors";
    /// Second factors do not expire: ten years.
    const LONGEST_LIFE: u64 = 3653 * 86_400;
}

/// Encrypts the secrets of authenticator apps: a part of [`Factors`].
#[derive(Clone, Copy, Debug)]
pub enum TotpSecrets {}
impl Purpose for TotpSecrets {
    const NAME: &'static str = "totp secrets";
    const LONGEST_LIFE: u64 = Factors::LONGEST_LIFE;
}

/// Computes the keyed digests of recovery codes: a part of [`Factors`].
#[derive(Clone, Copy, Debug)]
pub enum RecoveryCodes {}
impl Purpose for RecoveryCodes {
    const NAME: &'static str = "recovery codes";
    const LONGEST_LIFE: u64 = Factors::LONGEST_LIFE;
}

/// Derives the codes of verifications: a part of [`Verifications`].
#[derive(Clone, Copy, Debug)]
pub enum VerificationCodes {}
impl Purpose for VerificationCodes {
    const NAME: &'static str = "codes";
    const LONGEST_LIFE: u64 = Verifications::LONGEST_LIFE;
}

/// Encrypts the destinations of verifications: a part of [`Verifications`].
#[derive(Clone, Copy, Debug)]
pub enum Destinations {}
impl Purpose for Destinations {
    const NAME: &'static str = "destinations";
    const LONGEST_LIFE: u64 = Verifications::LONGEST_LIFE;
}

/// Computes the keyed digests under which messages to a number or a mailbox are counted: a part of [`OtpCodes`].
#[derive(Clone, Copy, Debug)]
pub enum Recipients {}
impl Purpose for Recipients {
    const NAME: &'static str = "recipients";
    const LONGEST_LIFE: u64 = OtpCodes::LONGEST_LIFE;
}

/// Computes the keyed digests by which rows are found from a destination: a part of [`Verifications`].
#[derive(Clone, Copy, Debug)]
pub enum DestinationNames {}
impl Purpose for DestinationNames {
    const NAME: &'static str = "names of destinations";
    const LONGEST_LIFE: u64 = Verifications::LONGEST_LIFE;
}

/// A key as stored outside the program.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The id under which rows refer to it.
    pub id: u32,
    /// The secret that it is derived from: 32 characters or more.
    pub text: Secret,
    /// When it starts to sign; `None` for a key that always signed.
    pub signs_from: Option<Timestamp>,
}

/// 256 bits for one purpose, and the id by which rows refer to it.
pub struct Key<P> {
    id: u32,
    bytes: [u8; 32],
    signs_from: Option<Timestamp>,
    purpose: PhantomData<P>,
}

impl<P> Clone for Key<P> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<P> Key<P> {
    /// The id under which rows refer to this key.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    pub(in crate::domain) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl<P> fmt::Debug for Key<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, …)", self.id)
    }
}

/// The live keys of one purpose, newest first. They cannot be used for another purpose:
///
/// ```compile_fail,E0308
/// # use countersign_shared::domain::{key::{Keyring, Passcodes}, support_pin::{Owner, SupportPin}};
/// fn open(pin: &SupportPin, owner: &Owner, keys: &Keyring<Passcodes>) {
///     let _ = pin.open(owner, keys);
/// }
/// ```
#[derive(Debug)]
pub struct Keyring<P> {
    keys: Vec<Key<P>>,
    signing: usize,
}

/// Why a set of key secrets is invalid.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There is no key.
    Empty,
    /// The secret of this key has fewer than 32 characters.
    TooShort(u32),
    /// This id is listed twice.
    Twice(u32),
}

impl<P: Purpose> Keyring<P> {
    /// Derives the keys (HKDF-SHA-256, RFC 5869) as of that moment.
    ///
    /// # Errors
    /// [`Unfit`] when there is none, one is too short, or an id is listed twice.
    pub fn new(stored: Vec<Stored>, now: Timestamp) -> Result<Self, Unfit> {
        let mut keys = Vec::with_capacity(stored.len());
        for Stored { id, text, signs_from } in stored {
            if text.expose().len() < 32 {
                return Err(Unfit::TooShort(id));
            }
            let mut bytes = [0; 32];
            Hkdf::<Sha256>::new(None, text.expose().as_bytes())
                .expand(P::NAME.as_bytes(), &mut bytes)
                .expect("HKDF-SHA-256 gives up to 8,160 bytes");
            keys.push(Key {
                id,
                bytes,
                signs_from,
                purpose: PhantomData,
            });
        }
        keys.sort_by_key(|key: &Key<P>| std::cmp::Reverse(key.id));
        if let Some(pair) = keys.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(Unfit::Twice(pair[0].id));
        }
        if keys.is_empty() {
            Err(Unfit::Empty)
        } else {
            Ok(Self { keys, signing: 0 }.at(now))
        }
    }
}

impl<P> Keyring<P> {
    /// The same keys as of another moment. If no key signs yet, the oldest does.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        let signs = |key: &Key<P>| key.signs_from.is_none_or(|from| from <= now);
        Self {
            keys: self.keys.clone(),
            signing: self.keys.iter().position(signs).unwrap_or(self.keys.len() - 1),
        }
    }

    /// Keys of another purpose, each derived from the key of the same id: one secret serves several purposes, and no key
    /// has two.
    #[must_use]
    pub fn derive<Q: Purpose>(&self) -> Keyring<Q> {
        let derived = |key: &Key<P>| {
            let mut bytes = [0; 32];
            Hkdf::<Sha256>::new(None, &key.bytes)
                .expand(Q::NAME.as_bytes(), &mut bytes)
                .expect("HKDF-SHA-256 gives up to 8,160 bytes");
            Key {
                id: key.id,
                bytes,
                signs_from: key.signs_from,
                purpose: PhantomData,
            }
        };
        Keyring {
            keys: self.keys.iter().map(derived).collect(),
            signing: self.signing,
        }
    }

    /// The oldest live key. It changes when that key is retired, and not when a new one is added.
    #[must_use]
    pub fn oldest(&self) -> &Key<P> {
        self.keys.last().expect("a key ring has a key")
    }

    /// The key that signs and encrypts.
    #[must_use]
    pub fn signing(&self) -> &Key<P> {
        &self.keys[self.signing]
    }

    /// The key of that id, if it is still live.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Key<P>> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Every live key, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Key<P>> {
        self.keys.iter()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn stored(id: u32, signs_from: Option<u64>) -> Stored {
        Stored {
            id,
            text: Secret::new(format!("key {id} of a test, long enough to be taken")),
            signs_from: signs_from.map(Timestamp::from_seconds),
        }
    }

    pub(crate) fn ring<P: Purpose>(ids: &[u32]) -> Keyring<P> {
        let stored = ids.iter().map(|id| stored(*id, None)).collect();
        Keyring::new(stored, Timestamp::from_seconds(0)).expect("fit keys")
    }

    #[test]
    fn the_highest_id_signs_and_all_verify() {
        let ring = ring::<Passcodes>(&[1, 3, 2]);
        assert_eq!(ring.signing().id(), 3);
        assert_eq!(ring.iter().map(Key::id).collect::<Vec<_>>(), [3, 2, 1]);
        assert!(ring.get(2).is_some() && ring.get(4).is_none());
    }

    #[test]
    fn the_debug_output_of_a_key_shows_only_its_id() {
        let ring = ring::<Passcodes>(&[3]);
        assert_eq!(format!("{ring:?}"), "Keyring { keys: [Key(3, …)], signing: 0 }");
    }

    #[test]
    fn a_key_verifies_before_it_signs() {
        let check = |from: &[(u32, Option<u64>)], at: u64, signing: u32| {
            let keys = from.iter().map(|(id, from)| stored(*id, *from)).collect();
            let ring = Keyring::<Passcodes>::new(keys, Timestamp::from_seconds(0)).expect("fit keys");
            let ring = ring.at(Timestamp::from_seconds(at));
            assert_eq!(ring.signing().id(), signing, "{from:?} at {at}");
            assert!(from.iter().all(|(id, _)| ring.get(*id).is_some()));
        };
        let two = [(1, None), (2, Some(100))];
        check(&two, 99, 1);
        check(&two, 100, 2);
        check(&[(1, None), (2, Some(100)), (3, Some(200))], 150, 2);
        check(&[(1, Some(100)), (2, Some(200))], 50, 1);
    }

    #[test]
    fn unfit_keys_are_refused() {
        let of_length = |id, length| Stored {
            text: Secret::new("x".repeat(length)),
            ..stored(id, None)
        };
        let now = Timestamp::from_seconds(0);
        let check = |keys, expected| assert_eq!(Keyring::<Passcodes>::new(keys, now).map(|_| ()), expected);
        check(vec![], Err(Unfit::Empty));
        check(vec![of_length(1, 31)], Err(Unfit::TooShort(1)));
        check(vec![of_length(1, 32), of_length(1, 32)], Err(Unfit::Twice(1)));
        check(vec![of_length(1, 32)], Ok(()));
    }

    #[test]
    fn derived_keys_have_the_ids_and_roles_of_their_roots() {
        let root = ring::<Verifications>(&[1, 3, 2]);
        let (codes, names) = (root.derive::<VerificationCodes>(), root.derive::<DestinationNames>());
        assert_eq!((codes.signing().id(), names.signing().id(), names.oldest().id()), (3, 3, 1));
        let all: std::collections::HashSet<_> = (root.iter().map(|key| key.bytes))
            .chain(codes.iter().map(|key| key.bytes))
            .chain(names.iter().map(|key| key.bytes))
            .collect();
        assert_eq!(all.len(), 9, "no key has two purposes");
    }

    #[test]
    fn one_secret_gives_each_purpose_its_own_key() {
        assert_ne!(ring::<Passcodes>(&[1]).signing().bytes(), ring::<SupportPins>(&[1]).signing().bytes());
    }
}
