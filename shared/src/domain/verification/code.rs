//! Codes of verifications. A code is derived, and not stored: from a key that is kept elsewhere, the verification's own
//! id, and the payment that it authorizes. So a resend repeats the code, and a copy of the table holds nothing that could
//! be searched for it (R77). A code that the caller chose is stored as a keyed digest.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::sid::VerificationSid;
use crate::domain::crypto::{
    key::{Key, Keyring, VerificationCodes},
    secret::{Secret, framed},
};

/// The lengths that a code may have, in digits.
pub const LENGTHS: std::ops::RangeInclusive<usize> = 4..=10;

/// A guess, or a code that the caller chose: 4 to 10 ASCII digits.
#[derive(Clone, Debug)]
pub struct Code(Secret);

impl Code {
    /// Parses a code; `None` for a text that cannot be one, and so does not count as a guess.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = LENGTHS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| Self(Secret::new(text.to_owned())))
    }

    /// The code itself, for the message.
    #[must_use]
    pub fn text(&self) -> &Secret {
        &self.0
    }
}

/// What a code authorizes besides the destination: a payment (PSD2, dynamic linking: Commission Delegated Regulation (EU)
/// 2018/389, article 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The amount, as the caller wrote it.
    pub amount: String,
    /// The payee.
    pub payee: String,
}

impl Payment {
    /// As one text, to encrypt.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}", self.amount, self.payee)
    }

    /// The payment of such a text.
    #[must_use]
    pub fn parse(text: &Secret) -> Option<Self> {
        let (amount, payee) = text.expose().split_once('\n')?;
        Some(Self {
            amount: amount.to_owned(),
            payee: payee.to_owned(),
        })
    }
}

/// How the code of a verification is known.
#[derive(Clone)]
pub enum CodeSource {
    /// It is derived.
    Derived {
        /// The id of the key.
        key: u32,
        /// Its digits.
        length: usize,
    },
    /// The caller chose it.
    Custom {
        /// The id of the key.
        key: u32,
        /// HMAC-SHA-256 of the code and of what it is bound to.
        mac: [u8; 32],
    },
}

impl fmt::Debug for CodeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Derived { key, length } => write!(f, "Derived({key}, {length})"),
            Self::Custom { key, mac: _ } => write!(f, "Custom({key}, …)"),
        }
    }
}

impl CodeSource {
    /// The source of a chosen code.
    #[must_use]
    pub fn custom(
        keys: &Keyring<VerificationCodes>,
        sid: &VerificationSid,
        payment: Option<&Payment>,
        code: &Code,
    ) -> Self {
        let key = keys.signing();
        Self::Custom {
            key: key.id(),
            mac: chosen(key, sid, payment, code).finalize().into_bytes().into(),
        }
    }

    /// The code, if it is derived and its key is still live.
    #[must_use]
    pub fn derive(
        &self,
        keys: &Keyring<VerificationCodes>,
        sid: &VerificationSid,
        payment: Option<&Payment>,
    ) -> Option<Secret> {
        match self {
            Self::Derived { key, length } => keys.get(*key).map(|key| derived(key, sid, payment, *length)),
            Self::Custom { .. } => None,
        }
    }

    /// Whether a guess matches, in constant time (ASVS 11.2.4). Another payment makes it a wrong guess. Nothing matches
    /// under a key that was deleted.
    #[must_use]
    pub fn fits(
        &self,
        keys: &Keyring<VerificationCodes>,
        sid: &VerificationSid,
        payment: Option<&Payment>,
        given: &Code,
    ) -> bool {
        match self {
            Self::Derived { .. } => self
                .derive(keys, sid, payment)
                .is_some_and(|code| code.expose().as_bytes().ct_eq(given.0.expose().as_bytes()).into()),
            Self::Custom { key, mac } => {
                keys.get(*key).is_some_and(|key| chosen(key, sid, payment, given).verify_slice(mac).is_ok())
            }
        }
    }
}

/// 128 pseudorandom bits modulo at most 10^10: no digit is likelier than another by more than 2^-94.
fn derived(key: &Key<VerificationCodes>, sid: &VerificationSid, payment: Option<&Payment>, length: usize) -> Secret {
    let length_byte = u8::try_from(length).expect("a code has at most 10 digits");
    let mac = mac(key, sid, payment, &[b"derived", &[length_byte]]).finalize().into_bytes();
    let bits = u128::from_be_bytes(mac[..16].try_into().expect("an HMAC-SHA-256 has 32 bytes"));
    Secret::new(format!("{:0length$}", bits % 10_u128.pow(u32::from(length_byte))))
}

fn chosen(key: &Key<VerificationCodes>, sid: &VerificationSid, payment: Option<&Payment>, code: &Code) -> Hmac<Sha256> {
    mac(key, sid, payment, &[b"chosen", code.0.expose().as_bytes()])
}

fn mac(key: &Key<VerificationCodes>, sid: &VerificationSid, payment: Option<&Payment>, what: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("HMAC takes a key of any length");
    let payment = payment.map(|payment| [payment.amount.as_bytes(), payment.payee.as_bytes()]);
    let payment: Vec<&[u8]> = payment.iter().flatten().copied().collect();
    mac.update(&framed(&[&framed(what), sid.bytes(), &framed(&payment)]));
    mac
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::crypto::key::tests::ring;

    fn sid(last: u8) -> VerificationSid {
        let mut bytes = [7; 16];
        bytes[15] = last;
        VerificationSid::from_bytes(bytes)
    }

    fn payment(amount: &str, payee: &str) -> Payment {
        Payment {
            amount: amount.into(),
            payee: payee.into(),
        }
    }

    #[test]
    fn a_code_has_4_to_10_digits() {
        for (text, good) in [
            ("1234", true),
            ("0123456789", true),
            ("123", false),
            ("01234567890", false),
            ("12a4", false),
            ("12 4", false),
            ("١٢٣٤", false),
            ("", false),
        ] {
            assert_eq!(Code::parse(text).is_some(), good, "{text:?}");
        }
    }

    #[test]
    fn a_derived_code_is_repeated_and_bound_to_all_of_its_inputs() {
        let keys = ring::<VerificationCodes>(&[1, 2]);
        let code = |key, length, last, payment: Option<&Payment>| {
            let source = CodeSource::Derived { key, length };
            source.derive(&keys, &sid(last), payment).expect("a live key").expose().to_owned()
        };
        let (one, other) = (payment("1", "23"), payment("12", "3"));
        let all: HashSet<_> = [
            code(2, 10, 1, None),
            code(1, 10, 1, None),
            code(2, 10, 2, None),
            code(2, 10, 1, Some(&one)),
            code(2, 10, 1, Some(&other)),
        ]
        .into();
        assert_eq!(all.len(), 5);
        assert_eq!(code(2, 10, 1, None), code(2, 10, 1, None));
        for length in LENGTHS {
            let codes: HashSet<_> = (0..=255).map(|last| code(2, length, last, None)).collect();
            assert!(codes.len() > 240 && codes.iter().all(|code| Code::parse(code).is_some() && code.len() == length));
        }
    }

    #[test]
    fn derived_codes_are_uniformly_distributed() {
        let keys = ring::<VerificationCodes>(&[1]);
        let source = CodeSource::Derived { key: 1, length: 4 };
        let mut digits = [[0_i64; 10]; 4];
        const CODES: i64 = 20_000;
        for n in 0..CODES {
            let mut bytes = [0; 16];
            bytes[8..].copy_from_slice(&n.to_be_bytes());
            let code = source.derive(&keys, &VerificationSid::from_bytes(bytes), None).expect("a live key");
            for (position, digit) in code.expose().bytes().enumerate() {
                digits[position][usize::from(digit - b'0')] += 1;
            }
        }
        for counts in digits {
            // χ² with 9 degrees of freedom is above 52 once in 10^7; the input is fixed.
            let expected = CODES / 10;
            let chi: i64 = counts.iter().map(|count| (count - expected).pow(2)).sum::<i64>() / expected;
            assert!(chi < 52, "{counts:?}");
        }
    }

    #[test]
    fn a_guess_matches_only_with_the_same_payment_and_a_live_key() {
        let keys = ring::<VerificationCodes>(&[1, 2]);
        let (paid, other) = (payment("9.99 EUR", "Shop"), payment("9.98 EUR", "Shop"));
        let given = Code::parse("042317").expect("a code");
        let custom = CodeSource::custom(&keys, &sid(1), Some(&paid), &given);
        let derived = CodeSource::Derived { key: 2, length: 6 };
        let right = derived.derive(&keys, &sid(1), Some(&paid)).expect("a live key");
        let right = Code::parse(right.expose()).expect("a code");
        for (source, right) in [(custom, given), (derived, right)] {
            assert!(source.fits(&keys, &sid(1), Some(&paid), &right));
            assert!(!source.fits(&keys, &sid(1), Some(&other), &right));
            assert!(!source.fits(&keys, &sid(1), None, &right));
            assert!(!source.fits(&keys, &sid(2), Some(&paid), &right));
            assert!(!source.fits(&ring(&[1]), &sid(1), Some(&paid), &right));
            let wrong = Code::parse(&format!("{}0", right.text().expose())).expect("a code");
            assert!(!source.fits(&keys, &sid(1), Some(&paid), &wrong));
        }
    }

    #[test]
    fn the_debug_output_has_no_code() {
        let keys = ring::<VerificationCodes>(&[1]);
        let given = Code::parse("042317").expect("a code");
        let custom = CodeSource::custom(&keys, &sid(1), None, &given);
        assert_eq!(format!("{custom:?} {given:?}"), "Custom(1, …) Code(Secret(…))");
    }
}
