//! Names of tenants, users and mailboxes, in the canonical form in which they are compared (Unicode UAX 15, UTS 39 and
//! UTS 46; OWASP's Email Validation Cheat Sheet). What is parsed here is never checked again.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup as Group},
};

mod email;
mod joiners;
mod login;

pub use email::EmailAddress;
pub use login::Login;

use joiners::is_joiner;

/// No valid name needs more bytes than this in any normalization form: longer input is refused unparsed.
const MOST_BYTES: usize = 2048;

/// Why a text is not a valid name. Each dialect has its own error messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It is empty.
    Empty,
    /// It is longer than its kind may be.
    TooLong,
    /// It has a character that its kind does not allow, or not at that position.
    InvalidSymbols,
    /// It mixes letters of several scripts, which can look like another name.
    MixedScripts,
}

/// The name of a tenant: a host name (RFC 1123 §2.1) such as `pbx.era-platform.ru`, or a single label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainName(String);

impl DomainName {
    /// Accepts ASCII letters, digits, `-` and `.`: labels of 1 to 63 characters without a hyphen at either end, 253 in
    /// all.
    ///
    /// # Errors
    /// [`Malformed`] in every way but [`Malformed::MixedScripts`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Err(Malformed::Empty);
        }
        if text.len() > 253 {
            return Err(Malformed::TooLong);
        }
        text.split('.').try_for_each(label)?;
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn label(label: &str) -> Result<(), Malformed> {
    let symbols = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !symbols || label.is_empty() || label.starts_with('-') || label.ends_with('-') {
        return Err(Malformed::InvalidSymbols);
    }
    match label.len() > 63 {
        true => Err(Malformed::TooLong),
        false => Ok(()),
    }
}

/// A user's display name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Accepts 1 to 128 characters (NFC, trimmed); none that breaks a line, controls the terminal, changes the text
    /// direction or has zero width, except joiners where they have an effect; at least one must be visible.
    ///
    /// # Errors
    /// [`Malformed`] in every way but [`Malformed::MixedScripts`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let name = normal(text.trim(), 128)?;
        let is_hidden = |symbol| is_unwritten(symbol) && !is_joiner(symbol);
        if name.chars().any(is_hidden) || !joiners::are_in_place(&name) {
            return Err(Malformed::InvalidSymbols);
        }
        match name.chars().all(is_ignorable) {
            true => Err(Malformed::Empty),
            false => Ok(Self(name)),
        }
    }

    /// The name (NFC).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Trims blanks (UTS 18: spaces of any width, and tabs), which keyboards and clipboards add. A line end is not a blank:
/// it may begin an injected header, and is refused.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|symbol| symbol == '\t' || is(Group::SpaceSeparator, symbol))
}

/// The NFC of a text, if it has 1 to `most` characters.
fn normal(text: &str, most: usize) -> Result<String, Malformed> {
    if text.is_empty() {
        return Err(Malformed::Empty);
    }
    if text.len() > MOST_BYTES {
        return Err(Malformed::TooLong);
    }
    let text = nfc(text).into_owned();
    match text.chars().count() > most {
        true => Err(Malformed::TooLong),
        false => Ok(text),
    }
}

fn is(group: Group, symbol: char) -> bool {
    group.contains(CodePointMapData::<GeneralCategory>::new().get(symbol))
}

/// Controls, line ends, and format characters, such as zero-width and bidirectional ones.
fn is_unwritten(symbol: char) -> bool {
    const LINE_ENDS: Group = Group::LineSeparator.union(Group::ParagraphSeparator);
    is(Group::Control.union(Group::Format).union(LINE_ENDS), symbol)
}

/// Characters that are rendered as nothing, even if they are a letter (U+3164) or a mark (U+FE0F).
fn is_ignorable(symbol: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(symbol)
}

/// One canonical form for texts with several encodings (UAX 15).
pub(in crate::domain) fn nfc(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

fn nfkc(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfkc().normalize(text)
}

/// Full case folding (Unicode §3.13), independent of language.
pub(in crate::domain) fn folded(text: &str) -> Cow<'_, str> {
    CaseMapper::new().fold_string(text)
}

#[cfg(test)]
mod tests {
    use Malformed::{Empty, InvalidSymbols, TooLong};

    use super::*;

    /// Compares the result of parsing each text.
    pub(super) fn check<T>(
        parse: fn(&str) -> Result<T, Malformed>,
        show: fn(&T) -> String,
        table: &[(&str, Result<&str, Malformed>)],
    ) {
        for (text, expected) in table {
            let found = parse(text).map(|parsed| show(&parsed));
            assert_eq!(found, expected.map(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn domains_are_host_names_in_lower_case() {
        let (long, longer) = ("a".repeat(63), "a".repeat(64));
        let most = format!("{long}.{long}.{long}.{}", "a".repeat(61));
        check(
            DomainName::parse,
            |name| name.as_str().to_owned(),
            &[
                ("pbx.era-platform.ru", Ok("pbx.era-platform.ru")),
                ("PBX.Era-Platform.RU", Ok("pbx.era-platform.ru")),
                ("other", Ok("other")),
                ("1.2.3.4", Ok("1.2.3.4")),
                (&long, Ok(&long)),
                (&longer, Err(TooLong)),
                (&most, Ok(&most)),
                (&format!("{most}a"), Err(TooLong)),
                ("", Err(Empty)),
                (".", Err(InvalidSymbols)),
                ("pbx.", Err(InvalidSymbols)),
                (".pbx", Err(InvalidSymbols)),
                ("pbx..ru", Err(InvalidSymbols)),
                ("-pbx.ru", Err(InvalidSymbols)),
                ("pbx-.ru", Err(InvalidSymbols)),
                ("p_bx.ru", Err(InvalidSymbols)),
                ("pbx#OTP#b", Err(InvalidSymbols)),
                (" pbx.ru", Err(InvalidSymbols)),
                ("pbx.ru\n", Err(InvalidSymbols)),
                ("пример.рф", Err(InvalidSymbols)),
            ],
        );
    }

    #[test]
    fn display_names_have_no_invisible_characters() {
        let (most, more) = ("я".repeat(128), "я".repeat(129));
        check(
            DisplayName::parse,
            |name| name.as_str().to_owned(),
            &[
                ("Мария O'Hara, 3-я", Ok("Мария O'Hara, 3-я")),
                ("  Masha\u{a0}", Ok("Masha")),
                ("И\u{306}ода", Ok("Йода")),
                ("辻\u{e0100}", Ok("辻\u{e0100}")),
                (&most, Ok(&most)),
                (&format!(" {most} "), Ok(&most)),
                (&more, Err(TooLong)),
                ("", Err(Empty)),
                (" \t ", Err(Empty)),
                ("\u{3164}", Err(Empty)),
                ("Ma\nsha", Err(InvalidSymbols)),
                ("Ma\u{85}sha", Err(InvalidSymbols)),
                ("Ma\u{2028}sha", Err(InvalidSymbols)),
                ("Ma\u{1b}[31msha", Err(InvalidSymbols)),
                ("Ma\u{200b}sha", Err(InvalidSymbols)),
                ("Ma\u{200c}sha", Err(InvalidSymbols)),
                ("Ma\u{200d}sha", Err(InvalidSymbols)),
                ("علی\u{200c}رضا", Ok("علی\u{200c}رضا")),
                ("ශ්\u{200d}රී", Ok("ශ්\u{200d}රී")),
                ("Masha 👩🏽\u{200d}🚀", Ok("Masha 👩🏽\u{200d}🚀")),
                ("Masha\u{200d}", Err(InvalidSymbols)),
                ("\u{200d}", Err(InvalidSymbols)),
                ("\u{202e}ahsaM", Err(InvalidSymbols)),
                ("\u{2066}Masha", Err(InvalidSymbols)),
                ("\u{feff}Masha", Err(InvalidSymbols)),
            ],
        );
    }
}
