//! Password policy (R40; NIST SP 800-63B §3.1.1.2).

use std::sync::LazyLock;

use crate::domain::{
    crypto::secret::Secret,
    people::name::{Malformed, folded, nfc},
};

/// A password, normalised (NFC), so that it is the same from every keyboard. Never truncated, never case folded.
#[derive(Clone, Debug)]
pub struct Password(pub(super) Secret);

impl Password {
    /// A password to verify, as given by a caller. [`Policy::accept`] checks new passwords.
    ///
    /// # Errors
    /// [`Malformed::TooLong`] for a text that is longer than any password can be: it is not hashed (R51).
    pub fn given(text: &Secret) -> Result<Self, Malformed> {
        match text.expose().len() > MOST_BYTES {
            true => Err(Malformed::TooLong),
            false => Ok(Self(Secret::new(nfc(text.expose()).into_owned()))),
        }
    }
}

/// The maximum length of a password in bytes: a longer text is refused before any work is done on it.
pub const MOST_BYTES: usize = 1024;

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
    /// The error message for the operator, when a character is not visible ASCII or there are fewer than ten.
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

    /// The alphabet as written, for messages.
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

/// The rules for new passwords (R40). Lengths are in code points, after normalisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The allowed characters; without an alphabet, all of Unicode except controls.
    pub alphabet: Option<Alphabet>,
    /// The minimum length.
    pub min: usize,
    /// The maximum length.
    pub max: usize,
    /// Whether common passwords are refused.
    pub refuse_common: bool,
}

/// The contract's policy (docs/contract.md, Registration and password reset).
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
    /// The error message for the operator, when a value is out of bounds.
    pub fn new(alphabet: Option<&str>, min: usize, max: usize, refuse_common: bool) -> Result<Self, &'static str> {
        if !(8..=128).contains(&min) {
            return Err("the shortest password has 8 to 128 characters");
        }
        // A character has 4 bytes at most, and the input of Argon2 is limited to `MOST_BYTES`.
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

    /// Checks a new password.
    ///
    /// # Errors
    /// The first rule that is violated, in the order too long, symbols, too short, common.
    pub fn accept(&self, given: &Secret) -> Result<Password, Weak> {
        let password = Password::given(given).map_err(|_| Weak::TooLong { max: self.max })?;
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

/// Why a new password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weak {
    /// It has too few characters.
    TooShort {
        /// The minimum.
        min: usize,
    },
    /// It has too many characters.
    TooLong {
        /// The maximum.
        max: usize,
    },
    /// It has a character outside the alphabet.
    InvalidSymbols,
    /// It is a common password.
    Common,
}

/// The most common passwords of 8 characters or more, case folded and sorted. They are from Django's
/// `common-passwords.txt.gz` (5.2; BSD-3-Clause, © Django Software Foundation and individual contributors), a list that
/// Royce Williams compiled from published leaks; in its order, as many as are visible ASCII and fit in 80,000 bytes.
static COMMON: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("../common_passwords.txt").lines().collect());

fn is_common(text: &str) -> bool {
    COMMON.binary_search(&&*folded(text)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alphabet_is_ranges_and_single_characters() {
        let visible: String = ('!'..='~').collect();
        for (text, members) in [
            ("A-Za-z0-9_-.~!", Ok(26 + 26 + 10 + 5)),
            ("0-9", Ok(10)),
            ("0-9-", Ok(11)),
            ("-0-9", Ok(11)),
            ("0-90-9a", Ok(11)),
            // No ranges: across classes, backwards, to itself, of symbols.
            ("0-9A-z", Ok(13)),
            ("0-9z-a", Ok(13)),
            ("0-9a-a", Ok(12)),
            ("0-9!-/", Ok(13)),
            (&visible, Ok(94)),
            ("0-8", Err("a password alphabet has at least 10 characters")),
            ("", Err("a password alphabet has at least 10 characters")),
            ("A-Z ", Err("a password alphabet has visible ASCII characters only")),
            ("A-Zй", Err("a password alphabet has visible ASCII characters only")),
        ] {
            let found = Alphabet::parse(text).map(|alphabet| (alphabet.members.count_ones(), alphabet.text));
            assert_eq!(found, members.map(|members| (members, text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_policy_has_bounds() {
        for (alphabet, min, max, good) in [
            (None, 8, 64, true),
            (None, 7, 64, false),
            (None, 15, 256, true),
            (None, 15, 257, false),
            (None, 8, 63, false),
            (None, 128, 128, true),
            (None, 129, 256, false),
            (None, 100, 99, false),
            (Some("0-9"), 8, 64, true),
            (Some("0-8"), 8, 64, false),
        ] {
            let found = Policy::new(alphabet, min, max, true).is_ok();
            assert_eq!(found, good, "{alphabet:?} {min} {max}");
        }
        assert_eq!(Policy::new(Some("A-Za-z0-9_-.~!"), 8, 128, true), Ok(Policy::default()));
    }

    #[test]
    fn the_first_violated_rule_is_reported() {
        let contract = Policy::default();
        let unicode = Policy::new(None, 8, 128, true).expect("within the bounds");
        let lenient = Policy::new(None, 8, 128, false).expect("within the bounds");
        let (short, long) = (Err(Weak::TooShort { min: 8 }), Err(Weak::TooLong { max: 128 }));
        for (policy, text, expected) in [
            (&contract, "ew!hIb3V", Ok(())),
            (&contract, "ew!hIb3", short),
            (&contract, "", short),
            (&contract, &"xY".repeat(64), Ok(())),
            (&contract, &"xY".repeat(65)[..129], long),
            (&contract, "ew!hIb3V ", Err(Weak::InvalidSymbols)),
            (&contract, " ew!hIb3V", Err(Weak::InvalidSymbols)),
            (&contract, "ew!hIb3V\n", Err(Weak::InvalidSymbols)),
            (&contract, "ew!hIb3V@", Err(Weak::InvalidSymbols)),
            (&contract, "ew!hIb3й", Err(Weak::InvalidSymbols)),
            (&contract, "ｅw!hIb3V", Err(Weak::InvalidSymbols)),
            (&contract, "_-.~!aZ9", Ok(())),
            // The order: too long, symbols, too short, common.
            (&contract, &" ".repeat(129), long),
            (&contract, "a b", Err(Weak::InvalidSymbols)),
            (&contract, "abc", short),
            (&contract, "password1", Err(Weak::Common)),
            (&contract, "PASSWORD1", Err(Weak::Common)),
            (&contract, "PassWord1", Err(Weak::Common)),
            (&contract, "12345678", Err(Weak::Common)),
            (&contract, "password1-", Ok(())),
            // Code points after composition, not bytes, and not as sent.
            (&unicode, "семёркай", Ok(())),
            (&unicode, "семёрка", short),
            (&unicode, "семе\u{308}рка", short),
            (&unicode, "😀😀😀😀😀😀😀", short),
            (&unicode, "😀😀😀😀😀😀😀😀", Ok(())),
            (&unicode, &"😀".repeat(128), Ok(())),
            (&unicode, &"😀".repeat(129), long),
            (&unicode, &"и\u{306}".repeat(128), Ok(())),
            (&unicode, "correct horse battery", Ok(())),
            (&unicode, "correct\thorse", Err(Weak::InvalidSymbols)),
            (&unicode, "correct\u{85}horse", Err(Weak::InvalidSymbols)),
            (&unicode, "PassWord1", Err(Weak::Common)),
            (&lenient, "PassWord1", Ok(())),
            (&unicode, &"x".repeat(1_000_000), long),
        ] {
            let found = policy.accept(&Secret::new(text.to_owned())).map(|_| ());
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn the_list_of_common_passwords_is_searchable() {
        assert!(COMMON.len() >= 3_000, "{}", COMMON.len());
        assert!(COMMON.is_sorted_by(|one, next| one < next), "sort common_passwords.txt by bytes, each line once");
        for line in COMMON.iter() {
            assert!(
                line.len() >= 8 && folded(line) == *line && line.bytes().all(|byte| byte.is_ascii_graphic()),
                "{line} cannot be found: it is short, not case folded, or not visible ASCII"
            );
        }
    }
}
