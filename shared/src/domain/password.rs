//! Passwords: Argon2id with OWASP's parameters (ASVS 11.4.2, appendix C).

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, phc},
};
use rand::TryCryptoRng;

use super::secret::{NoEntropy, Secret, random_bytes};

/// A password as stored: a PHC string (`$argon2id$v=19$m=19456,t=2,p=1$salt$hash`).
#[derive(Clone)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hashes a password with a fresh salt of 128 bits.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn of(password: &Secret, rng: &mut impl TryCryptoRng) -> Result<Self, NoEntropy> {
        let salt: [u8; 16] = random_bytes(rng)?;
        let params = Params::new(19_456, 2, 1, None).expect("OWASP's parameters are within Argon2's bounds");
        let hash: phc::PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(password.expose().as_bytes(), &salt)
            .expect("a salt of 16 bytes and a password below 4 GiB can be hashed");
        Ok(Self(hash.to_string()))
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

    use super::*;

    #[test]
    fn the_hash_has_owasps_parameters_and_its_own_salt() {
        let password = Secret::new("ew!hIb3V".into());
        let one = PasswordHash::of(&password, &mut SysRng).expect("the system has entropy");
        let two = PasswordHash::of(&password, &mut SysRng).expect("the system has entropy");
        assert!(
            one.to_stored().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            one.to_stored()
        );
        assert_ne!(one.to_stored(), two.to_stored());
    }
}
