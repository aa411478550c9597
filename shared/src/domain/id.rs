//! Identifiers. None of them is a secret; each is parsed at the door and trusted afterwards.

use rand::TryCryptoRng;
use uuid::Uuid;

use super::secret::{NoEntropy, random_bytes};

/// A user: a random UUID (version 4), in its canonical lower-case text form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserId(Uuid);

impl UserId {
    /// A new random id.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn draw(rng: &mut impl TryCryptoRng) -> Result<Self, NoEntropy> {
        random(rng).map(Self)
    }

    /// Reads the canonical form; anything else names nobody.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        canonical(text).map(Self)
    }

    /// From its 16 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Its 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The canonical form.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.hyphenated().to_string()
    }
}

/// A second factor: a random UUID like a user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FactorId(Uuid);

impl FactorId {
    /// A new random id.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn draw(rng: &mut impl TryCryptoRng) -> Result<Self, NoEntropy> {
        random(rng).map(Self)
    }

    /// Reads the canonical form; anything else names no factor.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        canonical(text).map(Self)
    }

    /// The canonical form.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.hyphenated().to_string()
    }
}

fn random(rng: &mut impl TryCryptoRng) -> Result<Uuid, NoEntropy> {
    Ok(uuid::Builder::from_random_bytes(random_bytes(rng)?).into_uuid())
}

fn canonical(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    // The parser also takes upper case, braces and URNs: a second spelling of an id would be a second key.
    (id.hyphenated().to_string() == text).then_some(id)
}

/// A client of the API: 1 to 64 characters of `A-Za-z0-9._-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(String);

impl ClientId {
    /// Reads a client id; `None` when it is empty, too long or has another character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;

    #[test]
    fn a_user_id_has_one_spelling() {
        let id = UserId::draw(&mut SysRng).expect("the system has entropy");
        assert_eq!(UserId::parse(&id.text()), Some(id));
        assert_eq!(UserId::from_bytes(*id.as_bytes()), id);
        let simple = id.text().replace('-', "");
        for other in [
            id.text().to_uppercase(),
            format!("{{{}}}", id.text()),
            simple,
            String::new(),
            "123".into(),
        ] {
            // An id of digits only has no upper case; then the upper-case spelling is the id itself.
            if other != id.text() {
                assert_eq!(UserId::parse(&other), None, "{other}");
                assert_eq!(FactorId::parse(&other), None, "{other}");
            }
        }
    }

    #[test]
    fn a_factor_id_is_read_as_it_is_written() {
        let id = FactorId::draw(&mut SysRng).expect("the system has entropy");
        assert_eq!(FactorId::parse(&id.text()), Some(id));
    }

    #[test]
    fn client_ids_are_plain() {
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
