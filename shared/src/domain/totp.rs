//! Time-based one-time passwords of authenticator apps (RFC 6238).
//!
//! A code is valid for its step and the steps beside it, and each step is accepted once: the caller stores the accepted
//! step on condition that it is later than the last one (RFC 6238 §5.2).

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rand::TryCryptoRng;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::{
    crypto::secret::{NoEntropy, Secret, random_bytes},
    time::Timestamp,
};

/// The unreserved characters of a URI stay as they are (RFC 3986 §2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The hash function of the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA-1, which every authenticator app knows.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: &[Self] = &[Self::Sha1, Self::Sha256, Self::Sha512];

    /// The name in rows and on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }
}

/// How codes are computed and which are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The hash function.
    pub algorithm: Algorithm,
    /// The length of a step, in seconds.
    pub period: u64,
    /// Steps that are accepted on either side of the current one.
    pub skew: u64,
    /// Digits of a code: 3 to 8.
    pub digits: usize,
}

impl Parameters {
    /// What authenticator apps assume, whatever a URI says: SHA-1, 30 seconds, 6 digits; one step of skew.
    pub const APP: Self = Self {
        algorithm: Algorithm::Sha1,
        period: 30,
        skew: 1,
        digits: 6,
    };

    /// The step of a moment.
    #[must_use]
    pub fn step(&self, now: Timestamp) -> Step {
        Step(now.seconds() / self.period)
    }

    /// The code of a step (RFC 4226 §5.3).
    #[must_use]
    pub fn code(&self, secret: &TotpSecret, step: Step) -> Secret {
        let digest = match self.algorithm {
            Algorithm::Sha1 => digest::<Sha1>(&secret.0, step),
            Algorithm::Sha256 => digest::<Sha256>(&secret.0, step),
            Algorithm::Sha512 => digest::<Sha512>(&secret.0, step),
        };
        let offset = usize::from(digest[digest.len() - 1] & 0x0f);
        let word = digest[offset..]
            .first_chunk()
            .expect("the shortest digest has 20 bytes, and the offset is below 16");
        let number = u32::from_be_bytes(*word) & 0x7fff_ffff;
        let digits = self.digits;
        Secret::new(format!("{:0digits$}", u64::from(number) % 10_u64.pow(digits as u32)))
    }

    /// The step whose code was given: one that is accepted at this moment, and later than the last accepted one. Every
    /// acceptable step is compared, in constant time. Should two match, the later one is used up, and the earlier one
    /// with it.
    #[must_use]
    pub fn matching(&self, secret: &TotpSecret, given: &str, last: Option<Step>, now: Timestamp) -> Option<Step> {
        let current = self.step(now).0;
        let steps = current.saturating_sub(self.skew)..=current + self.skew;
        let matching = steps.map(Step).filter(|step| {
            let expected = self.code(secret, *step);
            let fits: bool = expected.expose().as_bytes().ct_eq(given.as_bytes()).into();
            fits
        });
        matching.max().filter(|step| last.is_none_or(|last| last < *step))
    }

    /// The `otpauth` URI for a QR code. The label is `issuer:account`.
    #[must_use]
    pub fn uri(&self, secret: &TotpSecret, issuer: &str, account: &str) -> Secret {
        let escape = |text| utf8_percent_encode(text, ESCAPED);
        let (issuer, account) = (escape(issuer), escape(account));
        let algorithm = self.algorithm.name().to_ascii_uppercase();
        let Self { digits, period, .. } = self;
        let secret = secret.to_base32();
        let secret = secret.expose();
        Secret::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm={algorithm}&digits={digits}&period={period}"
        ))
    }
}

/// A step: the number of periods since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(u64);

impl Step {
    /// From the stored number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number to store.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The secret that an authenticator app shares with us: 128 bits or more (RFC 4226 §4, R6).
#[derive(Clone)]
pub struct TotpSecret(Vec<u8>);

impl TotpSecret {
    /// 160 random bits, as RFC 4226 recommends.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn draw(rng: &mut impl TryCryptoRng) -> Result<Self, NoEntropy> {
        random_bytes::<20>(rng).map(|bytes| Self(bytes.to_vec()))
    }

    /// Parses base32 (RFC 4648 §6) of 128 to 512 bits, in any letter case, without padding or with it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE32_NOPAD_NOCASE.decode(text.trim_end_matches('=').as_bytes()).ok()?;
        (16..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// Base32 without padding, as apps read it.
    #[must_use]
    pub fn to_base32(&self) -> Secret {
        Secret::new(BASE32_NOPAD.encode(&self.0))
    }
}

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

fn digest<H: EagerHash>(secret: &[u8], step: Step) -> Vec<u8> {
    let mut mac = Hmac::<H>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(&step.0.to_be_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::crypto::secret::tests::Broken;

    fn secret(bytes: usize) -> TotpSecret {
        TotpSecret(b"1234567890".iter().copied().cycle().take(bytes).collect())
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    /// RFC 6238, appendix B (with erratum 2866: each hash function has a seed of its own length).
    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        let check = |algorithm, seed, now, expected: &str| {
            let parameters = Parameters {
                algorithm,
                digits: 8,
                ..Parameters::APP
            };
            let code = parameters.code(&secret(seed), parameters.step(at(now)));
            assert_eq!(code.expose(), expected, "{algorithm:?} at {now}");
        };
        for (now, sha1, sha256, sha512) in [
            (59, "94287082", "46119246", "90693936"),
            (1_111_111_109, "07081804", "68084774", "25091201"),
            (1_111_111_111, "14050471", "67062674", "99943326"),
            (1_234_567_890, "89005924", "91819424", "93441116"),
            (2_000_000_000, "69279037", "90698825", "38618901"),
            (20_000_000_000, "65353130", "77737706", "47863826"),
        ] {
            check(Algorithm::Sha1, 20, now, sha1);
            check(Algorithm::Sha256, 32, now, sha256);
            check(Algorithm::Sha512, 64, now, sha512);
        }
    }

    /// An independent implementation computes the same codes, for every algorithm, length and period.
    #[test]
    fn the_codes_are_those_of_another_implementation() {
        for (algorithm, other) in [
            (Algorithm::Sha1, totp_rs::Algorithm::SHA1),
            (Algorithm::Sha256, totp_rs::Algorithm::SHA256),
            (Algorithm::Sha512, totp_rs::Algorithm::SHA512),
        ] {
            for digits in 6..=8 {
                for period in [20, 30, 60] {
                    let secret = TotpSecret::draw(&mut SysRng).expect("entropy");
                    let parameters = Parameters {
                        algorithm,
                        period,
                        skew: 1,
                        digits,
                    };
                    let oracle = totp_rs::Builder::new()
                        .with_algorithm(other)
                        .with_digits(u8::try_from(digits).expect("a digit"))
                        .with_skew(1)
                        .with_step_duration(period)
                        .with_secret(<[u8; 20]>::try_from(&secret.0[..]).expect("160 bits"))
                        .build_noncompliant();
                    for now in [
                        0,
                        29,
                        30,
                        59,
                        60,
                        1_790_000_000,
                        1_790_000_029,
                        u64::from(u32::MAX) * 40,
                    ] {
                        let code = parameters.code(&secret, parameters.step(at(now)));
                        assert_eq!(code.expose(), oracle.generate(now).to_string(), "{parameters:?} at {now}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_code_is_accepted_for_its_step_and_the_steps_beside_it() {
        let secret = secret(20);
        let code = Parameters::APP.code(&secret, Step(100));
        for skew in 0..=2 {
            let parameters = Parameters {
                skew,
                ..Parameters::APP
            };
            let (first, end) = ((100 - skew) * 30, (101 + skew) * 30);
            for (now, accepted) in [
                (first - 1, false),
                (first, true),
                (3000, true),
                (end - 1, true),
                (end, false),
            ] {
                let found = parameters.matching(&secret, code.expose(), None, at(now));
                assert_eq!(found, accepted.then_some(Step(100)), "skew {skew} at {now}");
            }
        }
        // At the beginning of time there is no step before.
        let first = Parameters::APP.code(&secret, Step(0));
        assert_eq!(Parameters::APP.matching(&secret, first.expose(), None, at(0)), Some(Step(0)));
    }

    #[test]
    fn a_step_is_accepted_once_and_none_before_it() {
        let secret = secret(20);
        for (given, last, accepted) in [
            (99, 98, true),
            (99, 99, false),
            (99, 100, false),
            (100, 99, true),
            (100, 100, false),
            (101, 100, true),
            (101, 101, false),
        ] {
            let code = Parameters::APP.code(&secret, Step(given));
            let found = Parameters::APP.matching(&secret, code.expose(), Some(Step(last)), at(3000));
            assert_eq!(found, accepted.then_some(Step(given)), "{given} after {last}");
        }
    }

    #[test]
    fn a_code_that_two_steps_have_uses_up_both() {
        // One digit, so that neighbours with the same code are soon found.
        let parameters = Parameters {
            digits: 1,
            ..Parameters::APP
        };
        let secret = secret(20);
        let code = |step| parameters.code(&secret, Step(step)).expose().to_owned();
        let first = (1..).find(|step| code(*step) == code(step + 1)).expect("there is one");
        let now = at((first + 1) * 30);
        let accepted = parameters.matching(&secret, &code(first), None, now);
        assert!(accepted >= Some(Step(first + 1)));
        assert_eq!(parameters.matching(&secret, &code(first), accepted, now), None);
    }

    #[test]
    fn a_text_that_is_no_code_does_not_match() {
        let secret = secret(20);
        let code = Parameters::APP.code(&secret, Step(100));
        for text in [
            "",
            "12345",
            &format!("{}0", code.expose()),
            &format!(" {}", code.expose()),
            "١٢٣٤٥٦",
        ] {
            assert_eq!(Parameters::APP.matching(&secret, text, None, at(3000)), None, "{text:?}");
        }
    }

    #[test]
    fn a_secret_has_128_to_512_bits_in_base32() {
        for (text, bytes) in [
            ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", Some(20)),
            ("gezdgnbvgy3tqojqgezdgnbvgy3tqojq", Some(20)),
            ("GEZDGNBVGY3TQOJQGEZDGNBVGY======", Some(16)),
            ("GEZDGNBVGY3TQOJQGEZDGNBVGY", Some(16)),
            ("GEZDGNBVGY3TQOJQGEZDGNBV", None),
            (&BASE32_NOPAD.encode(&[7; 64]), Some(64)),
            (&BASE32_NOPAD.encode(&[7; 65]), None),
            ("GEZDGNBVGY3TQOJQ GEZDGNBVGY3TQOJQ", None),
            ("1EZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", None),
            ("", None),
        ] {
            assert_eq!(TotpSecret::parse(text).map(|secret| secret.0.len()), bytes, "{text}");
        }
        let drawn = TotpSecret::draw(&mut SysRng).expect("entropy");
        assert_eq!(drawn.to_base32().expose().len(), 32);
        assert_eq!(TotpSecret::parse(drawn.to_base32().expose()).expect("our own").0, drawn.0);
        assert!(TotpSecret::draw(&mut Broken).is_err());
    }

    #[test]
    fn a_uri_escapes_issuer_and_account() {
        let uri = Parameters::APP.uri(&secret(20), "Müller & Söhne: Bank", "jane+x@example.com");
        assert_eq!(
            uri.expose(),
            "otpauth://totp/M%C3%BCller%20%26%20S%C3%B6hne%3A%20Bank:jane%2Bx%40example.com\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=M%C3%BCller%20%26%20S%C3%B6hne%3A%20Bank\
             &algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn an_algorithm_has_one_name() {
        for (name, algorithm) in [
            ("sha1", Some(Algorithm::Sha1)),
            ("sha256", Some(Algorithm::Sha256)),
            ("sha512", Some(Algorithm::Sha512)),
            ("SHA1", None),
            ("", None),
        ] {
            assert_eq!(Algorithm::parse(name), algorithm, "{name}");
        }
    }
}
