//! Support PINs (seed 000): six digits that a user reads to support. They must be shown again, so they are encrypted
//! and not hashed: AES-256-GCM, with the owner, the end and the key as associated data (ASVS 11.3.2 to 11.3.4), so that
//! a ciphertext moved to another row, or a row whose end was moved, opens to nothing.

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use rand::TryCryptoRng;

use super::{
    id::UserId,
    key::{Key, Keyring, SupportPins},
    secret::{NoEntropy, Secret, framed, random_bytes, random_text},
    time::Timestamp,
};

/// What the operator decides.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Life in seconds: 60 to 604,800 (7 days); 86,400 by default.
    pub lifetime: u64,
}

/// A support PIN as stored, one a user.
#[derive(Clone, Debug)]
pub struct SupportPin {
    /// Whose.
    pub user: UserId,
    /// Random: tells one PIN of a user from the next.
    pub id: [u8; 16],
    /// The key that it is sealed with.
    pub key: u32,
    /// Drawn anew for every PIN.
    pub nonce: [u8; 12],
    /// The digits, encrypted.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// From this moment on it is absent.
    pub expires_at: Timestamp,
}

/// A stored PIN that does not open: its key is gone, or somebody changed the row.
#[derive(Debug)]
pub struct Unreadable;

impl SupportPin {
    /// Makes a PIN: the row, which replaces the user's earlier one, and the digits.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn issue(
        policy: &Policy,
        user: UserId,
        keys: &Keyring<SupportPins>,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<(Self, Secret), NoEntropy> {
        let digits = random_text(rng, b"0123456789", 6)?;
        let key = keys.newest();
        let mut pin = Self {
            user,
            id: random_bytes(rng)?,
            key: key.id(),
            nonce: random_bytes(rng)?,
            sealed: Vec::new(),
            issued_at: now,
            expires_at: now.deadline(policy.lifetime),
        };
        let context = pin.context();
        pin.sealed = cipher(key)
            .encrypt(&Nonce::from(pin.nonce), Payload { msg: digits.expose().as_bytes(), aad: &context })
            .expect("six bytes are below the limit of AES-GCM");
        Ok((pin, digits))
    }

    /// The digits.
    ///
    /// # Errors
    /// [`Unreadable`] when the key is not live any more or the row is not as it was written.
    pub fn open(&self, keys: &Keyring<SupportPins>) -> Result<Secret, Unreadable> {
        let key = keys.get(self.key).ok_or(Unreadable)?;
        let digits = cipher(key)
            .decrypt(&Nonce::from(self.nonce), Payload { msg: &self.sealed, aad: &self.context() })
            .map_err(|_| Unreadable)?;
        String::from_utf8(digits).map(Secret::new).map_err(|_| Unreadable)
    }

    fn context(&self) -> Vec<u8> {
        let end = self.expires_at.seconds().to_be_bytes();
        framed(&[self.user.as_bytes(), &self.id, &end, &self.key.to_be_bytes()])
    }
}

fn cipher(key: &Key<SupportPins>) -> Aes256Gcm {
    Aes256Gcm::new(&(*key.bytes()).into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::{key::tests::ring, secret::tests::Broken};

    const POLICY: Policy = Policy { lifetime: 86_400 };

    fn user() -> UserId {
        UserId::draw(&mut SysRng).expect("entropy")
    }

    fn issue(user: UserId, keys: &Keyring<SupportPins>) -> (SupportPin, Secret) {
        SupportPin::issue(&POLICY, user, keys, &mut SysRng, Timestamp::from_seconds(1000)).expect("entropy")
    }

    #[test]
    fn a_pin_opens_to_its_six_digits() {
        let keys = ring(&[1]);
        let (pin, digits) = issue(user(), &keys);
        assert_eq!(pin.open(&keys).expect("as written").expose(), digits.expose());
        assert!(digits.expose().len() == 6 && digits.expose().bytes().all(|b| b.is_ascii_digit()));
        assert_eq!(pin.expires_at, Timestamp::from_seconds(87_400));
    }

    #[test]
    fn a_changed_row_opens_to_nothing() {
        let keys = ring(&[1]);
        let owner = user();
        let (good, _) = issue(owner, &keys);
        let (earlier, _) = issue(owner, &keys);
        let check = |what: &str, change: &dyn Fn(&mut SupportPin)| {
            let mut pin = good.clone();
            change(&mut pin);
            assert!(pin.open(&keys).is_err(), "{what}");
        };
        check("another owner", &|pin| pin.user = user());
        check("a later end", &|pin| pin.expires_at = pin.expires_at.deadline(1));
        check("one bit", &|pin| pin.sealed[0] ^= 1);
        check("one bit of the tag", &|pin| pin.sealed[21] ^= 0x80);
        check("nothing", &|pin| pin.sealed.clear());
        check("an old ciphertext", &|pin| {
            pin.sealed.clone_from(&earlier.sealed);
            pin.nonce = earlier.nonce;
        });
    }

    #[test]
    fn keys_rotate() {
        let (old, digits) = issue(user(), &ring(&[1]));
        assert_eq!(old.open(&ring(&[1, 2])).expect("the old key verifies").expose(), digits.expose());
        assert_eq!(issue(user(), &ring(&[1, 2])).0.key, 2, "the new key signs");
        assert!(old.open(&ring(&[2])).is_err(), "a key that is gone fails closed");
    }

    #[test]
    fn nonces_do_not_repeat() {
        let keys = ring(&[1]);
        let owner = user();
        let mut seen = HashSet::new();
        for _ in 0..100_000 {
            assert!(seen.insert(issue(owner, &keys).0.nonce), "a nonce came twice");
        }
    }

    #[test]
    fn without_entropy_there_is_no_pin() {
        assert!(SupportPin::issue(&POLICY, user(), &ring(&[1]), &mut Broken, Timestamp::from_seconds(0)).is_err());
    }
}
