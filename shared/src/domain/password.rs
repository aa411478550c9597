//! Passwords: what may become one, and Argon2id with OWASP's parameters (ASVS 6.2 and 11.4.2, appendix C).

use std::sync::LazyLock;

use argon2::{
    Algorithm, Argon2, Params, PasswordVerifier, Version,
    password_hash::{PasswordHasher, phc},
};
use rand::TryCryptoRng;

use super::{
    name::{folded, nfc},
    secret::{NoEntropy, Secret, random_bytes},
};

/// No password has more bytes than this: a longer text is refused before any work is done on it.
const MOST_BYTES: usize = 1024;

/// A password whose text was normalised (NFC), so that it is the same from every keyboard. Never cut, never folded.
#[derive(Clone, Debug)]
pub struct Password(Secret);

impl Password {
    /// What somebody gave, to be verified: whether it may become a password is [`Policy::accept`]'s question.
    #[must_use]
    pub fn given(text: &Secret) -> Self {
        Self(Secret::new(nfc(text.expose()).into_owned()))
    }
}

/// What a hash costs, on one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB: 8 at least.
    pub memory_kib: u32,
    /// Passes over the memory: 1 at least.
    pub iterations: u32,
}

/// OWASP's parameters for Argon2id.
impl Default for Cost {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
        }
    }
}

/// Whether a password is the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not.
    Wrong,
    /// It is.
    Right,
    /// It is, and the stored hash costs less than one of today: hash the password again and store that.
    RightButWeak,
}

/// A password as stored: a PHC string (`$argon2id$v=19$m=19456,t=2,p=1$salt$hash`).
#[derive(Clone)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hashes a password with a fresh salt of 128 bits.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    ///
    /// # Panics
    /// When the cost is below what its fields say; settings are checked when they are read.
    pub fn of(password: &Password, cost: &Cost, rng: &mut impl TryCryptoRng) -> Result<Self, NoEntropy> {
        let salt: [u8; 16] = random_bytes(rng)?;
        let params = Params::new(cost.memory_kib, cost.iterations, 1, None).expect("settings hold Argon2's bounds");
        let hash: phc::PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(password.0.expose().as_bytes(), &salt)
            .expect("a salt of 16 bytes and a password below 4 GiB can be hashed");
        Ok(Self(hash.to_string()))
    }

    /// What an unknown account's password is verified against, so that the answer takes as long as a known one's. Its
    /// hash is all zeros, for which nobody has a password: the verdict is [`Verdict::Wrong`].
    #[must_use]
    pub fn decoy(cost: &Cost) -> Self {
        let (salt, hash) = ("A".repeat(22), "A".repeat(43));
        Self(format!(
            "$argon2id$v=19$m={},t={},p=1${salt}${hash}",
            cost.memory_kib, cost.iterations
        ))
    }

    /// Compares in constant time, at the cost that the stored hash names (R07). A hash that cannot be read is nobody's.
    #[must_use]
    pub fn verify(&self, given: &Password, cost: &Cost) -> Verdict {
        let Ok(stored) = phc::PasswordHash::new(&self.0) else {
            return Verdict::Wrong;
        };
        let Ok(params) = Params::try_from(&stored) else {
            return Verdict::Wrong;
        };
        let compared = Argon2::default().verify_password(given.0.expose().as_bytes(), &stored);
        match compared {
            Err(_) => Verdict::Wrong,
            Ok(()) if params.m_cost() < cost.memory_kib || params.t_cost() < cost.iterations => Verdict::RightButWeak,
            Ok(()) => Verdict::Right,
        }
    }

    /// From a stored PHC string.
    #[must_use]
    pub fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string to store.
    #[must_use]
    pub fn to_stored(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// The visible ASCII characters that a password may have, written as in `A-Za-z0-9_-.~!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alphabet {
    text: String,
    /// Bit `n` is the character of code `n`.
    members: u128,
}

impl Alphabet {
    /// `X-Y` is a range when both are upper-case letters, lower-case letters or digits, in this order; every other
    /// character is itself, the hyphen too.
    ///
    /// # Errors
    /// The operator's words, when a character is not visible ASCII or there are fewer than ten.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a password alphabet has visible ASCII characters only");
        }
        let mut members = 0_u128;
        let mut rest = text.as_bytes();
        while let [first, after @ ..] = rest {
            let (last, next) = match after {
                [b'-', last, next @ ..] if is_range(*first, *last) => (last, next),
                _ => (first, after),
            };
            (*first..=*last).for_each(|byte| members |= 1 << byte);
            rest = next;
        }
        match members.count_ones() < 10 {
            true => Err("a password alphabet has at least 10 characters"),
            false => Ok(Self {
                text: text.to_owned(),
                members,
            }),
        }
    }

    /// The alphabet as it was written, for messages.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn has(&self, symbol: char) -> bool {
        symbol.is_ascii() && self.members >> u32::from(symbol) & 1 == 1
    }
}

fn is_range(first: u8, last: u8) -> bool {
    let one_class = [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit]
        .iter()
        .any(|is| is(&first) && is(&last));
    one_class && first < last
}

/// What a password must be to be accepted (R40). Lengths are in code points, after normalisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The characters that it may have; without an alphabet, all of Unicode but controls.
    pub alphabet: Option<Alphabet>,
    /// The shortest.
    pub min: usize,
    /// The longest.
    pub max: usize,
    /// Whether those that everybody tries first are refused.
    pub refuse_common: bool,
}

/// The contract's policy (contracts.md §2).
impl Default for Policy {
    fn default() -> Self {
        Self {
            alphabet: Some(Alphabet::parse("A-Za-z0-9_-.~!").expect("it is visible ASCII, 67 characters")),
            min: 8,
            max: 128,
            refuse_common: true,
        }
    }
}

impl Policy {
    /// An operator's own policy.
    ///
    /// # Errors
    /// The operator's words for what is out of bounds.
    pub fn new(alphabet: Option<&str>, min: usize, max: usize, refuse_common: bool) -> Result<Self, &'static str> {
        if !(8..=128).contains(&min) {
            return Err("the shortest password has 8 to 128 characters");
        }
        // A character has 4 bytes at most, and Argon2 is given at most so many.
        if !(min.max(64)..=MOST_BYTES / 4).contains(&max) {
            return Err("the longest password has 64 to 256 characters, and no fewer than the shortest");
        }
        Ok(Self {
            alphabet: alphabet.map(Alphabet::parse).transpose()?,
            min,
            max,
            refuse_common,
        })
    }

    /// What somebody wants for a password.
    ///
    /// # Errors
    /// The first rule that is broken, in the order too long, symbols, too short, common.
    pub fn accept(&self, given: &Secret) -> Result<Password, Weak> {
        if given.expose().len() > MOST_BYTES {
            return Err(Weak::TooLong { max: self.max });
        }
        let password = Password::given(given);
        let text = password.0.expose();
        let length = text.chars().count();
        if length > self.max {
            return Err(Weak::TooLong { max: self.max });
        }
        if !text.chars().all(|symbol| self.may_have(symbol)) {
            return Err(Weak::InvalidSymbols);
        }
        if length < self.min {
            return Err(Weak::TooShort { min: self.min });
        }
        match self.refuse_common && is_common(text) {
            true => Err(Weak::Common),
            false => Ok(password),
        }
    }

    fn may_have(&self, symbol: char) -> bool {
        match &self.alphabet {
            Some(alphabet) => alphabet.has(symbol),
            None => !symbol.is_control(),
        }
    }
}

/// Why a text may not become a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weak {
    /// It has too few characters.
    TooShort {
        /// The fewest.
        min: usize,
    },
    /// It has too many characters.
    TooLong {
        /// The most.
        max: usize,
    },
    /// It has a character outside the alphabet.
    InvalidSymbols,
    /// It is among the passwords that everybody tries first.
    Common,
}

/// The most used passwords of 8 characters or more, case folded and sorted. They are from Django's
/// `common-passwords.txt.gz` (5.2; BSD-3-Clause, © Django Software Foundation and individual contributors), a list that
/// Royce Williams made of published leaks; in its order, as many as are visible ASCII and fit in 80,000 bytes.
static COMMON: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

fn is_common(text: &str) -> bool {
    COMMON.binary_search(&&*folded(text)).is_ok()
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;

    #[test]
    fn the_hash_has_owasps_parameters_and_its_own_salt() {
        let password = Password::given(&Secret::new("ew!hIb3V".into()));
        let one = PasswordHash::of(&password, &Cost::default(), &mut SysRng).expect("the system has entropy");
        let two = PasswordHash::of(&password, &Cost::default(), &mut SysRng).expect("the system has entropy");
        assert!(
            one.to_stored().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            one.to_stored()
        );
        assert_ne!(one.to_stored(), two.to_stored());
    }
}
