//! Passwords: which are acceptable, and Argon2id with OWASP's parameters (ASVS 6.2 and 11.4.2, appendix C).

use argon2::{
    Algorithm, Argon2, Params, PasswordVerifier, Version,
    password_hash::{PasswordHasher, phc},
};
use rand::TryCryptoRng;

use super::crypto::secret::{NoEntropy, random_bytes};

mod policy;

pub use policy::{Alphabet, MOST_BYTES, Password, Policy, Weak};

/// The cost of a hash, on one lane.
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
    /// It is, and the stored hash has a lower cost than the current one: hash the password again and store the result.
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
    /// When the cost is below the minimum of its fields; settings are checked when they are read.
    pub fn of(password: &Password, cost: &Cost, rng: &mut impl TryCryptoRng) -> Result<Self, NoEntropy> {
        let salt: [u8; 16] = random_bytes(rng)?;
        let params = Params::new(cost.memory_kib, cost.iterations, 1, None).expect("settings hold Argon2's bounds");
        let hash: phc::PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(password.0.expose().as_bytes(), &salt)
            .expect("a salt of 16 bytes and a password below 4 GiB can be hashed");
        Ok(Self(hash.to_string()))
    }

    /// A placeholder hash for unknown accounts, so that verification takes as long as for known ones (enumeration). It
    /// is all zeros, which no known password hashes to: the verdict is [`Verdict::Wrong`].
    #[must_use]
    pub fn decoy(cost: &Cost) -> Self {
        let (salt, hash) = ("A".repeat(22), "A".repeat(43));
        Self(format!("$argon2id$v=19$m={},t={},p=1${salt}${hash}", cost.memory_kib, cost.iterations))
    }

    /// Compares in constant time, at the cost that the stored hash names (R07). A malformed hash matches no password.
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

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::{
        super::crypto::secret::{Secret, tests::Broken},
        *,
    };

    /// A small cost: the rules are the same.
    const CHEAP: Cost = Cost {
        memory_kib: 64,
        iterations: 2,
    };

    fn given(text: &str) -> Password {
        Password::given(&Secret::new(text.to_owned())).expect("it is short")
    }

    fn hash(text: &str, cost: &Cost) -> PasswordHash {
        PasswordHash::of(&given(text), cost, &mut SysRng).expect("the system has entropy")
    }

    #[test]
    fn text_longer_than_any_password_is_not_hashed() {
        for (length, good) in [
            (0, true),
            (MOST_BYTES, true),
            (MOST_BYTES + 1, false),
            (1_000_000, false),
        ] {
            let found = Password::given(&Secret::new("x".repeat(length)));
            assert_eq!(found.is_ok(), good, "{length}");
        }
    }

    #[test]
    fn the_hash_has_owasps_parameters_and_its_own_salt() {
        let one = hash("ew!hIb3V", &Cost::default());
        let two = hash("ew!hIb3V", &Cost::default());
        assert!(one.to_stored().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", one.to_stored());
        assert_ne!(one.to_stored(), two.to_stored());
        assert!(PasswordHash::of(&given("ew!hIb3V"), &CHEAP, &mut Broken).is_err());
    }

    #[test]
    fn only_the_same_password_is_accepted() {
        let long = "x".repeat(100);
        for (stored, tried, expected) in [
            ("ew!hIb3V", "ew!hIb3V", Verdict::Right),
            ("ew!hIb3V", "ew!hIb3v", Verdict::Wrong),
            ("ew!hIb3V", "ew!hIb3V ", Verdict::Wrong),
            ("ew!hIb3V", "ew!hIb3V\0", Verdict::Wrong),
            ("ew!hIb3V", "", Verdict::Wrong),
            // The 65th character, and the last one of a hundred.
            (&long, &format!("{}y{}", &long[..64], &long[65..]), Verdict::Wrong),
            (&long, &format!("{}y", &long[..99]), Verdict::Wrong),
            (&long, &long[..64], Verdict::Wrong),
            // Composed and decomposed are equal; case and compatibility forms are not folded.
            ("семёрка й", "семе\u{308}рка и\u{306}", Verdict::Right),
            ("семе\u{308}рка и\u{306}", "семёрка й", Verdict::Right),
            ("семёрка й", "Семёрка й", Verdict::Wrong),
            ("password", "ｐａｓｓｗｏｒｄ", Verdict::Wrong),
        ] {
            let found = hash(stored, &CHEAP).verify(&given(tried), &CHEAP);
            assert_eq!(found, expected, "{tried:?} for {stored:?}");
        }
    }

    #[test]
    fn a_hash_below_todays_cost_is_weak() {
        let stored = hash("ew!hIb3V", &CHEAP);
        for (memory_kib, iterations, expected) in [
            (64, 2, Verdict::Right),
            (65, 2, Verdict::RightButWeak),
            (64, 3, Verdict::RightButWeak),
            (32, 3, Verdict::RightButWeak),
            (32, 1, Verdict::Right),
        ] {
            let cost = Cost { memory_kib, iterations };
            assert_eq!(stored.verify(&given("ew!hIb3V"), &cost), expected, "{cost:?}");
            assert_eq!(stored.verify(&given("ew!hIb3v"), &cost), Verdict::Wrong, "{cost:?}");
        }
    }

    #[test]
    fn a_corrupt_hash_matches_no_password() {
        let good = hash("ew!hIb3V", &CHEAP).to_stored().to_owned();
        let (head, _) = good.rsplit_once('$').expect("a PHC string");
        for corrupt in [
            "",
            "ew!hIb3V",
            "$",
            "$argon2id$",
            head,
            &good[1..],
            &good[..good.len() - 1],
            &good[..good.len() - 20],
            &format!("{good}A"),
            &good.replace("argon2id", "argon2i"),
            &good.replace("argon2id", "scrypt"),
            &good.replace("v=19", "v=18"),
            &good.replace("m=64", "m=63"),
            &good.replace("m=64", "m=0"),
            &good.replace("t=2", "t=0"),
            &good.replace("p=1", "p=x"),
        ] {
            let found = PasswordHash::from_stored(corrupt.to_owned()).verify(&given("ew!hIb3V"), &CHEAP);
            assert_eq!(found, Verdict::Wrong, "{corrupt:?}");
        }
    }

    #[test]
    fn the_decoy_hash_has_the_parameters_and_lengths_of_a_real_one() {
        let decoy = PasswordHash::decoy(&CHEAP);
        let stored = phc::PasswordHash::new(decoy.to_stored()).expect("a PHC string");
        let real = hash("ew!hIb3V", &CHEAP);
        let like = phc::PasswordHash::new(real.to_stored()).expect("a PHC string");
        assert_eq!((stored.algorithm, stored.version, &stored.params), (like.algorithm, like.version, &like.params));
        assert_eq!(stored.salt.map(|salt| salt.len()), like.salt.map(|salt| salt.len()));
        assert_eq!(stored.hash.map(|hash| hash.len()), like.hash.map(|hash| hash.len()));
        for text in ["", "ew!hIb3V", "\0"] {
            assert_eq!(decoy.verify(&given(text), &CHEAP), Verdict::Wrong);
        }
    }

    #[test]
    fn an_accepted_password_is_verified_in_normalized_form() {
        let policy = Policy::new(None, 8, 128, true).expect("within the bounds");
        let accepted = policy.accept(&Secret::new("семе\u{308}рка и\u{306}".into())).expect("a good password");
        let stored = PasswordHash::of(&accepted, &CHEAP, &mut SysRng).expect("the system has entropy");
        assert_eq!(stored.verify(&given("семёрка й"), &CHEAP), Verdict::Right);
        assert_eq!(format!("{accepted:?} {stored:?}"), "Password(Secret(…)) PasswordHash(…)");
    }
}
