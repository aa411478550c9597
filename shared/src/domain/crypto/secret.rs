//! Secrets: generating, hiding, comparing and hashing them. The only module that generates randomness.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::TryCryptoRng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// A text that must not be disclosed: no `Display`, no `PartialEq`, a redacted `Debug` (ASVS 11.2.4, 16.2.5).
///
/// ```compile_fail,E0277
/// # use countersign_shared::domain::crypto::secret::Secret;
/// println!("{}", Secret::new("042317".into()));
/// ```
/// ```compile_fail,E0369
/// # use countersign_shared::domain::crypto::secret::Secret;
/// let _ = Secret::new("042317".into()) == Secret::new("042317".into());
/// ```
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one response that may show it or the one function that hashes it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A SHA-256 digest of a secret with at least 122 bits of entropy. Compared in constant time only.
///
/// ```compile_fail,E0369
/// # use countersign_shared::domain::crypto::secret::{Digest, Secret};
/// let digest = Digest::of(&Secret::new("a link's 122 bits".into()));
/// let _ = digest == digest;
/// ```
#[derive(Clone)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a secret.
    #[must_use]
    pub fn of(secret: &Secret) -> Self {
        Self(Sha256::digest(secret.0.as_bytes()).into())
    }

    /// From 32 stored bytes; `None` for any other number.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The bytes as 64 hexadecimal digits, to name what has no other name.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first 16 of the digits: enough to identify rows in a log, but no row's key.
    #[must_use]
    pub fn short(&self) -> String {
        self.hex().chars().take(16).collect()
    }

    /// Whether two digests are equal, in constant time (ASVS 11.2.4).
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// The generator of the operating system failed: nothing is issued (ASVS 11.5.2: fail closed).
#[derive(Debug)]
pub struct NoEntropy;

/// `N` random bytes.
///
/// # Errors
/// [`NoEntropy`] when the generator fails.
pub fn random_bytes<const N: usize>(rng: &mut impl TryCryptoRng) -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    rng.try_fill_bytes(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(bytes)
}

/// 256 random bits as 43 characters of base64url (RFC 4648 §5, no padding): links, bearer tokens, client secrets.
///
/// # Errors
/// [`NoEntropy`] when the generator fails.
pub fn random_token(rng: &mut impl TryCryptoRng) -> Result<Secret, NoEntropy> {
    Ok(Secret(URL_SAFE_NO_PAD.encode(random_bytes::<32>(rng)?)))
}

/// `length` characters, each uniform over `alphabet` and independent of the others, without modulo bias (ASVS 6.5.4).
///
/// # Errors
/// [`NoEntropy`] when the generator fails.
///
/// # Panics
/// When the alphabet is empty or longer than 256 bytes; policies are checked when they are read.
pub fn random_text(rng: &mut impl TryCryptoRng, alphabet: &[u8], length: usize) -> Result<Secret, NoEntropy> {
    assert!((1..=256).contains(&alphabet.len()), "an alphabet has 1 to 256 characters");
    // Bytes at or above the largest multiple of the alphabet's size are discarded: keeping them would favour the first
    // characters.
    let fair = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        for byte in random_bytes::<32>(rng)? {
            if usize::from(byte) < fair && text.len() < length {
                text.push(char::from(alphabet[usize::from(byte) % alphabet.len()]));
            }
        }
    }
    Ok(Secret(text))
}

/// Several values as one unambiguous byte string: each is preceded by its length, so that `("ab","c")` and `("a","bc")`
/// differ.
#[must_use]
pub fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{collections::HashSet, convert::Infallible};

    use rand::{TryRng, rngs::SysRng};

    use super::*;

    /// A generator that fails, as without `/dev/urandom`.
    pub(crate) struct Broken;

    #[derive(Debug)]
    pub(crate) struct Failed;
    impl fmt::Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("broken")
        }
    }
    impl std::error::Error for Failed {}

    impl TryRng for Broken {
        type Error = Failed;
        fn try_next_u32(&mut self) -> Result<u32, Failed> {
            Err(Failed)
        }
        fn try_next_u64(&mut self) -> Result<u64, Failed> {
            Err(Failed)
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Failed> {
            Err(Failed)
        }
    }
    impl TryCryptoRng for Broken {}

    /// A generator of which every byte is that number: a model's call of that number draws its code and its id.
    pub(crate) struct Constant(pub u8);

    impl TryRng for Constant {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(self.0.into())
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(self.0.into())
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            bytes.fill(self.0);
            Ok(())
        }
    }
    impl TryCryptoRng for Constant {}

    /// Returns its bytes in order, then zeros.
    struct Scripted(Vec<u8>);
    impl TryRng for Scripted {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(0)
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(0)
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
            for byte in out {
                *byte = if self.0.is_empty() { 0 } else { self.0.remove(0) };
            }
            Ok(())
        }
    }
    impl TryCryptoRng for Scripted {}

    #[test]
    fn a_broken_generator_issues_nothing() {
        assert!(random_token(&mut Broken).is_err());
        assert!(random_text(&mut Broken, b"0123456789", 6).is_err());
        assert!(random_bytes::<16>(&mut Broken).is_err());
    }

    #[test]
    fn a_digest_is_sha_256_in_bytes_and_in_hex() {
        // FIPS 180-2, B.1.
        let digest = Digest::of(&Secret::new("abc".into()));
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((digest.hex().as_str(), digest.short().as_str()), (expected, &expected[..16]));
        assert_eq!(digest.as_bytes()[..2], [0xba, 0x78]);
        let read = Digest::from_bytes(digest.as_bytes()).expect("32 bytes");
        assert!(read.matches(&digest));
        assert!(Digest::from_bytes(&[0; 31]).is_none() && Digest::from_bytes(&[0; 33]).is_none());
    }

    #[test]
    fn tokens_are_32_bytes_and_unique() {
        let mut seen = HashSet::new();
        for _ in 0..10_000 {
            let token = random_token(&mut SysRng).expect("the system has entropy");
            assert_eq!(URL_SAFE_NO_PAD.decode(token.expose()).expect("base64url").len(), 32);
            assert!(seen.insert(token.expose().to_owned()), "a token came twice");
        }
    }

    #[test]
    fn bytes_that_would_bias_characters_are_discarded() {
        // 250 to 255 are past the last multiple of ten: only the 9 counts, then the zeros that follow.
        let mut rng = Scripted(vec![250, 251, 252, 253, 254, 255, 249]);
        assert_eq!(random_text(&mut rng, b"0123456789", 3).expect("scripted").expose(), "900");
    }

    /// Upper bound of χ² with `k` degrees of freedom at p = 1e-6 (Wilson and Hilferty's approximation).
    fn chi_square_bound(k: f64) -> f64 {
        let z = 4.753_4;
        k * (1.0 - 2.0 / (9.0 * k) + z * (2.0 / (9.0 * k)).sqrt()).powi(3)
    }

    #[test]
    fn six_digit_codes_are_uniformly_distributed() {
        const SAMPLES: usize = 2_000_000;
        let mut by_position = [[0_u32; 10]; 6];
        let mut by_bin = [0_u32; 1000];
        for _ in 0..SAMPLES {
            let code = random_text(&mut SysRng, b"0123456789", 6).expect("the system has entropy");
            let digits = code.expose().as_bytes();
            let mut value = 0;
            for (position, digit) in digits.iter().enumerate() {
                let digit = usize::from(digit - b'0');
                by_position[position][digit] += 1;
                value = value * 10 + digit;
            }
            by_bin[value / 1000] += 1;
        }
        let check = |counts: &[u32]| {
            let expected = SAMPLES as f64 / counts.len() as f64;
            let chi: f64 = counts.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
            let bound = chi_square_bound(counts.len() as f64 - 1.0);
            assert!(chi < bound, "χ² {chi} of {} cells is above {bound}", counts.len());
        };
        by_position.iter().for_each(|counts| check(counts));
        check(&by_bin);
    }

    #[test]
    fn the_debug_output_of_a_secret_is_redacted() {
        assert_eq!(format!("{:?}", Secret::new("042317".into())), "Secret(…)");
        assert_eq!(format!("{:?}", Digest::of(&Secret::new("042317".into()))), "Digest(…)");
    }

    #[test]
    fn framing_is_unambiguous() {
        assert_ne!(framed(&[b"ab", b"c"]), framed(&[b"a", b"bc"]));
        assert_ne!(framed(&[b"a", b""]), framed(&[b"", b"a"]));
        assert_ne!(framed(&[b"a"]), framed(&[b"a", b""]));
    }
}
