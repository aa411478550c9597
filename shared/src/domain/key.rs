//! Keys with ids, one ring for each purpose: the newest signs and encrypts, every live one verifies and decrypts
//! (ASVS 11.1.1, 11.2.2, 13.3.4). A key of one purpose does not fit another: the types differ.

use std::{fmt, marker::PhantomData};

use hkdf::Hkdf;
use sha2::Sha256;

use super::secret::Secret;

/// What a key is for.
pub trait Purpose {
    /// Goes into the derivation, so that one secret used twice by mistake still gives two keys.
    const NAME: &'static str;
}

/// Encrypts support PINs.
#[derive(Clone, Copy, Debug)]
pub enum SupportPins {}
impl Purpose for SupportPins {
    const NAME: &'static str = "countersign support pins";
}

/// Makes the keyed digests of passcodes.
#[derive(Clone, Copy, Debug)]
pub enum Passcodes {}
impl Purpose for Passcodes {
    const NAME: &'static str = "countersign passcodes";
}

/// Makes the keyed digests of codes by text message.
#[derive(Clone, Copy, Debug)]
pub enum OtpCodes {}
impl Purpose for OtpCodes {
    const NAME: &'static str = "countersign otps";
}

/// Encrypts answers that are remembered for a call that comes again.
#[derive(Clone, Copy, Debug)]
pub enum Answers {}
impl Purpose for Answers {
    const NAME: &'static str = "countersign answers";
}

/// 256 bits for one purpose, and the id that rows name it by.
pub struct Key<P> {
    id: u32,
    bytes: [u8; 32],
    purpose: PhantomData<P>,
}

impl<P> Key<P> {
    /// The id under which rows refer to this key.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl<P> fmt::Debug for Key<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, …)", self.id)
    }
}

/// The live keys of one purpose, newest first. They fit no other purpose:
///
/// ```compile_fail,E0308
/// # use countersign_shared::domain::{key::{Keyring, Passcodes}, support_pin::SupportPin};
/// fn open(pin: &SupportPin, keys: &Keyring<Passcodes>) {
///     let _ = pin.open(keys);
/// }
/// ```
#[derive(Debug)]
pub struct Keyring<P>(Vec<Key<P>>);

/// Why a set of key secrets is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There is no key.
    Empty,
    /// The secret of this key has fewer than 32 characters.
    TooShort(u32),
    /// This id stands there twice.
    Twice(u32),
}

impl<P: Purpose> Keyring<P> {
    /// Derives the keys (HKDF-SHA-256, RFC 5869) from their ids and secret texts.
    ///
    /// # Errors
    /// [`Unfit`] when there is none, one is short, or an id comes twice.
    pub fn new(secrets: Vec<(u32, Secret)>) -> Result<Self, Unfit> {
        let mut keys = Vec::with_capacity(secrets.len());
        for (id, secret) in secrets {
            if secret.expose().len() < 32 {
                return Err(Unfit::TooShort(id));
            }
            let mut bytes = [0; 32];
            Hkdf::<Sha256>::new(None, secret.expose().as_bytes())
                .expand(P::NAME.as_bytes(), &mut bytes)
                .expect("HKDF-SHA-256 gives up to 8,160 bytes");
            keys.push(Key {
                id,
                bytes,
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
            Ok(Self(keys))
        }
    }
}

impl<P> Keyring<P> {
    /// The key for everything new.
    #[must_use]
    pub fn newest(&self) -> &Key<P> {
        self.0.first().expect("a keyring holds at least one key")
    }

    /// The key of that id, if it is still live.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Key<P>> {
        self.0.iter().find(|key| key.id == id)
    }

    /// Every live key, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Key<P>> {
        self.0.iter()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn ring<P: Purpose>(ids: &[u32]) -> Keyring<P> {
        let secret = |id: &u32| (*id, Secret::new(format!("key {id} of a test, long enough to be taken")));
        Keyring::new(ids.iter().map(secret).collect()).expect("fit keys")
    }

    #[test]
    fn the_highest_id_signs_and_all_verify() {
        let ring = ring::<Passcodes>(&[1, 3, 2]);
        assert_eq!(ring.newest().id(), 3);
        assert_eq!(ring.iter().map(Key::id).collect::<Vec<_>>(), [3, 2, 1]);
        assert!(ring.get(2).is_some() && ring.get(4).is_none());
    }

    #[test]
    fn unfit_keys_are_refused() {
        let long = || Secret::new("x".repeat(32));
        let check = |secrets, expected| assert_eq!(Keyring::<Passcodes>::new(secrets).map(|_| ()), expected);
        check(vec![], Err(Unfit::Empty));
        check(vec![(1, Secret::new("x".repeat(31)))], Err(Unfit::TooShort(1)));
        check(vec![(1, long()), (1, long())], Err(Unfit::Twice(1)));
        check(vec![(1, long())], Ok(()));
    }

    #[test]
    fn one_secret_gives_each_purpose_its_own_key() {
        assert_ne!(
            ring::<Passcodes>(&[1]).newest().bytes(),
            ring::<SupportPins>(&[1]).newest().bytes()
        );
    }
}
