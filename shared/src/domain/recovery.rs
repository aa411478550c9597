//! Recovery codes: single-use codes of 80 bits for a user who has lost the other factors (NIST SP 800-63B-4, 4.2.1.1).

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use rand::TryCryptoRng;
use sha2::Sha256;

use super::{
    crypto::{
        key::{self, Key, Keyring},
        secret::{NoEntropy, Secret, framed, random_text},
    },
    people::id::UserId,
};

/// Crockford's base32: no I, L, O and U.
const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Symbols of a code, five bits each.
const LENGTH: usize = 16;

/// Codes of a set.
const CODES: usize = 10;

/// The unused codes of a user, as keyed digests: all were issued together, under one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryCodes {
    /// Id of the key.
    pub key: u32,
    /// The digests.
    pub unused: BTreeSet<[u8; 32]>,
}

impl RecoveryCodes {
    /// Issues ten codes: the set to store, and the codes in the form `XXXX-XXXX-XXXX-XXXX`, which are shown once.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn issue(
        keys: &Keyring<key::RecoveryCodes>,
        user: UserId,
        rng: &mut impl TryCryptoRng,
    ) -> Result<(Self, Vec<Secret>), NoEntropy> {
        let key = keys.signing();
        let (mut unused, mut shown) = (BTreeSet::new(), Vec::with_capacity(CODES));
        for _ in 0..CODES {
            let code = random_text(rng, ALPHABET, LENGTH)?;
            unused.insert(mac(key, user, &code).finalize().into_bytes().into());
            let groups: Vec<_> = (0..LENGTH).step_by(4).map(|at| &code.expose()[at..at + 4]).collect();
            shown.push(Secret::new(groups.join("-")));
        }
        Ok((Self { key: key.id(), unused }, shown))
    }

    /// The digest of the given code, if it is an unused one; each is compared in constant time (ASVS 11.2.4). None
    /// matches under a key that was deleted.
    #[must_use]
    pub fn find(&self, keys: &Keyring<key::RecoveryCodes>, user: UserId, given: &RecoveryCode) -> Option<[u8; 32]> {
        let key = keys.get(self.key)?;
        let given = mac(key, user, &given.0);
        let matching = self.unused.iter().filter(|digest| given.clone().verify_slice(&digest[..]).is_ok());
        matching.copied().last()
    }
}

/// A guess at a recovery code: sixteen symbols.
#[derive(Clone, Debug)]
pub struct RecoveryCode(Secret);

impl RecoveryCode {
    /// Parses a guess, in any letter case, with or without hyphens and spaces; I and L are read as 1, O as 0. `None` for
    /// a text that cannot be a code, and so does not count as a guess.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 2 * LENGTH {
            return None;
        }
        let symbols = text.chars().filter(|symbol| !matches!(symbol, '-' | ' '));
        let symbols = symbols.map(|symbol| match symbol.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            other => other,
        });
        let symbols: String = symbols.collect();
        let fits = symbols.len() == LENGTH && symbols.bytes().all(|symbol| ALPHABET.contains(&symbol));
        fits.then(|| Self(Secret::new(symbols)))
    }
}

fn mac(key: &Key<key::RecoveryCodes>, user: UserId, code: &Secret) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("HMAC takes a key of any length");
    mac.update(&framed(&[b"recovery code", user.as_bytes(), code.expose().as_bytes()]));
    mac
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::{
        crypto::{
            key::{Factors, Stored},
            secret::tests::Broken,
        },
        time::Timestamp,
    };

    fn keys(id: u32, letter: char) -> Keyring<key::RecoveryCodes> {
        let stored = Stored {
            id,
            text: Secret::new(letter.to_string().repeat(64)),
            signs_from: None,
        };
        Keyring::<Factors>::new(vec![stored], Timestamp::from_seconds(0)).expect("a good key").derive()
    }

    const USER: UserId = UserId::from_bytes([1; 16]);

    #[test]
    fn ten_codes_are_issued_and_each_is_found_in_its_set_only() {
        let keys = keys(7, 'k');
        let (set, codes) = RecoveryCodes::issue(&keys, USER, &mut SysRng).expect("entropy");
        let (other, _) = RecoveryCodes::issue(&keys, USER, &mut SysRng).expect("entropy");
        assert_eq!((set.key, set.unused.len(), codes.len()), (7, 10, 10));
        for code in &codes {
            let groups: Vec<_> = code.expose().split('-').map(str::len).collect();
            assert_eq!(groups, [4, 4, 4, 4]);
            let code = RecoveryCode::parse(code.expose()).expect("our own");
            let digest = set.find(&keys, USER, &code).expect("an unused code");
            assert!(set.unused.contains(&digest));
            assert_eq!(other.find(&keys, USER, &code), None);
            assert_eq!(set.find(&keys, UserId::from_bytes([2; 16]), &code), None, "another user's");
            let mut used = set.clone();
            used.unused.remove(&digest);
            assert_eq!(used.find(&keys, USER, &code), None, "a used one");
        }
        assert!(RecoveryCodes::issue(&keys, USER, &mut Broken).is_err());
    }

    #[test]
    fn no_code_is_found_without_its_key() {
        let (set, codes) = RecoveryCodes::issue(&keys(7, 'k'), USER, &mut SysRng).expect("entropy");
        let code = RecoveryCode::parse(codes[0].expose()).expect("our own");
        assert_eq!(set.find(&keys(8, 'k'), USER, &code), None, "it was deleted");
        assert_eq!(set.find(&keys(7, 'l'), USER, &code), None, "another text");
        assert_eq!(RecoveryCodes::default().find(&keys(7, 'k'), USER, &code), None);
    }

    #[test]
    fn a_code_is_read_in_any_case_and_without_hyphens() {
        for (text, symbols) in [
            ("7K2M-9QXC-04TV-H6ZD", Some("7K2M9QXC04TVH6ZD")),
            ("7k2m-9qxc-04tv-h6zd", Some("7K2M9QXC04TVH6ZD")),
            ("7K2M9QXC04TVH6ZD", Some("7K2M9QXC04TVH6ZD")),
            (" 7K2M 9QXC 04TV H6ZD ", Some("7K2M9QXC04TVH6ZD")),
            ("7K2M-9QXC-o4TV-H6ZD", Some("7K2M9QXC04TVH6ZD")),
            ("iIlL-oO00-1111-0000", Some("1111000011110000")),
            ("1234567890123456", Some("1234567890123456")),
            ("7K2M-9QXC-04TV-H6Z", None),
            ("7K2M-9QXC-04TV-H6ZDD", None),
            ("7K2M-9QXC-04TV-H6ZU", None),
            ("7K2M_9QXC_04TV_H6ZD", None),
            ("７K2M-9QXC-04TV-H6ZD", None),
            ("----------------", None),
            ("", None),
        ] {
            let read = RecoveryCode::parse(text).map(|code| code.0.expose().to_owned());
            assert_eq!(read.as_deref(), symbols, "{text:?}");
        }
        assert!(RecoveryCode::parse(&"-".repeat(10_000)).is_none());
    }
}
