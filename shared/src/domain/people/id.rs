//! Identifiers. None of them is a secret; each is parsed at the boundary and trusted afterwards.

use rand::TryCryptoRng;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::name::DomainName;
use crate::domain::crypto::secret::{NoEntropy, framed, random_bytes};

/// An identifier that is a UUID, in its canonical lower-case text form.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new random id.
            ///
            /// # Errors
            /// [`NoEntropy`] when the generator fails.
            pub fn draw(rng: &mut impl TryCryptoRng) -> Result<Self, NoEntropy> {
                Ok(Self(uuid::Builder::from_random_bytes(random_bytes(rng)?).into_uuid()))
            }

            /// Parses the form 8-4-4-4-12, case-insensitively; `None` for anything else.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let id = Uuid::try_parse(text).ok()?;
                // RFC 9562 §4 is case-insensitive. The parser also accepts braces, URNs and no hyphens at all, which
                // are not ids here.
                id.hyphenated().to_string().eq_ignore_ascii_case(text).then_some(Self(id))
            }

            /// From its 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Its 16 bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The canonical text form.
            #[must_use]
            pub fn text(&self) -> String {
                self.0.hyphenated().to_string()
            }
        }
    };
}

uuid_id!(
    /// A user: a random UUID (version 4), or one that is derived from a number (version 8, RFC 9562 §5.8).
    UserId
);

uuid_id!(
    /// A second factor: a random UUID.
    FactorId
);

uuid_id!(
    /// A known device: a random UUID.
    DeviceId
);

impl UserId {
    /// The id of the user with that number in that domain. The same number in another domain gives another id.
    #[must_use]
    pub fn of_number(domain: DomainKey, number: UserNumber) -> Self {
        let digest = Sha256::digest(framed(&[b"user's number", &domain.0, &number.0.to_be_bytes()]));
        let half = *digest.first_chunk().expect("a digest has 32 bytes");
        Self(uuid::Builder::from_custom_bytes(half).into_uuid())
    }

    /// The name in the log and the audit log, as an actor or a subject.
    #[must_use]
    pub fn log_name(&self) -> String {
        format!("user:{}", self.text())
    }
}

/// A number by which GitLab's callers identify a user: unique within a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserNumber(u64);

impl UserNumber {
    /// A user number; it must be above zero.
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// Parses decimal digits without leading zeros; `None` for anything else and for more than 64 bits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        Self::new(text.parse().ok().filter(|_| well_formed)?)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

/// A domain, as the tokens of its users carry it: half of the digest of its name. Not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainKey([u8; 16]);

impl DomainKey {
    /// The key of a domain.
    #[must_use]
    pub fn of(domain: &DomainName) -> Self {
        let digest = Sha256::digest(framed(&[b"domain", domain.as_str().as_bytes()]));
        Self(*digest.first_chunk().expect("a digest has 32 bytes"))
    }

    /// From its 16 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A client of the API: 1 to 64 characters of `A-Za-z0-9._-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(String);

impl ClientId {
    /// Parses a client id; `None` when it is empty, too long or has another character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in the log and the audit log, as an actor or a subject.
    #[must_use]
    pub fn log_name(&self) -> String {
        format!("client:{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;

    #[test]
    fn an_id_is_read_in_any_letter_case_and_written_in_lower_case() {
        let id = UserId::draw(&mut SysRng).expect("the system has entropy");
        assert_eq!(UserId::from_bytes(*id.as_bytes()), id);
        assert_eq!(id.text(), id.text().to_lowercase());
        let mixed = format!("{}{}", id.text()[..18].to_uppercase(), &id.text()[18..]);
        for text in [id.text(), id.text().to_uppercase(), mixed] {
            assert_eq!(UserId::parse(&text), Some(id), "{text}");
            assert_eq!(FactorId::parse(&text).map(|id| id.text()), Some(id.text()), "{text}");
        }
        let simple = id.text().replace('-', "");
        for other in [
            format!("{{{}}}", id.text()),
            format!("urn:uuid:{}", id.text()),
            format!("{} ", id.text()),
            simple,
            String::new(),
            "123".into(),
        ] {
            assert_eq!(UserId::parse(&other), None, "{other}");
            assert_eq!(FactorId::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn a_user_number_has_one_format() {
        for (text, number) in [
            ("1", Some(1)),
            ("123", Some(123)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("0", None),
            ("0123", None),
            ("+123", None),
            ("-1", None),
            ("1.0", None),
            ("1e3", None),
            ("123 ", None),
            ("١٢٣", None),
            ("１２３", None),
            ("", None),
        ] {
            assert_eq!(UserNumber::parse(text).map(UserNumber::get), number, "{text}");
        }
    }

    #[test]
    fn a_user_number_has_one_id_in_each_domain() {
        let domain = |name: &str| DomainKey::of(&DomainName::parse(name).expect("a domain"));
        let id =
            |name: &str, number| UserId::of_number(domain(name), UserNumber::new(number).expect("above zero")).text();
        // From an independent implementation: SHA-256 over the parts, each preceded by its length in eight bytes.
        assert_eq!(id("pbx.era-platform.ru", 123), "7b7634c6-dbfb-8937-8cf2-f631cc7ff576");
        let ids = [
            id("pbx.era-platform.ru", 123),
            id("pbx.era-platform.ru", 124),
            id("other.example", 123),
        ];
        for (at, one) in ids.iter().enumerate() {
            assert_eq!(&one[14..15], "8", "{one}");
            assert!(!ids[..at].contains(one), "{one}");
        }
    }

    #[test]
    fn a_factor_id_round_trips() {
        let id = FactorId::draw(&mut SysRng).expect("the system has entropy");
        assert_eq!(FactorId::parse(&id.text()), Some(id));
    }

    #[test]
    fn client_ids_have_a_restricted_alphabet_and_length() {
        for (text, good) in [
            ("heatclinic", true),
            ("a.b_c-1", true),
            ("", false),
            ("a b", false),
            ("é", false),
            ("a/b", false),
        ] {
            assert_eq!(ClientId::parse(text).is_some(), good, "{text}");
        }
        assert!(ClientId::parse(&"a".repeat(64)).is_some());
        assert!(ClientId::parse(&"a".repeat(65)).is_none());
    }
}
