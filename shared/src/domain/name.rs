//! Names of tenants, people and mailboxes, in the one form by which they are compared (Unicode UAX 15, UTS 39 and UTS 46;
//! OWASP's Email Validation Cheat Sheet). What is parsed here is never checked again.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup as Group},
};
use unicode_security::{GeneralSecurityProfile as _, MixedScript as _};

mod email;

pub use email::EmailAddress;

/// No name that is acceptable needs more bytes than this, however it is composed: longer ones are refused unread.
const MOST_BYTES: usize = 2048;

/// Why a text is no name. The words for it are the dialect's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// There is nothing in it.
    Empty,
    /// It is longer than its kind may be.
    TooLong,
    /// It has a symbol that its kind may not have, or has it in a place where it may not be.
    InvalidSymbols,
    /// It has letters of several scripts, which may look like another name.
    MixedScripts,
}

/// The name of a tenant: a host name (RFC 1123 §2.1) such as `pbx.era-platform.ru`, or a single label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainName(String);

impl DomainName {
    /// Takes ASCII letters, digits, `-` and `.`: labels of 1 to 63 characters without a hyphen at either end, 253 in all.
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

/// What a person signs in with. Two logins with one [`canonical`](Self::canonical) form are the same login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    text: String,
    canonical: String,
}

impl Login {
    /// Takes 1 to 64 characters, also in the canonical form, which has letters, digits and marks that UTS 39 recommends
    /// for identifiers, of one script, and `_`, `-`, `.`; at least one letter or digit, and no mark in front.
    ///
    /// # Errors
    /// [`Malformed`] in every way.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let text = normal(text, 64)?;
        // The canonical form is what is checked: `ａｄｍｉｎ` is a way to write `admin`, and `＠` a way to write `@`.
        let canonical = canonical(&text);
        if !canonical.chars().all(is_of_logins)
            || !canonical.chars().any(|symbol| is(LETTER_OR_DIGIT, symbol))
            || canonical.starts_with(|symbol| is(Group::Mark, symbol))
        {
            return Err(Malformed::InvalidSymbols);
        }
        if !canonical.is_single_script() {
            return Err(Malformed::MixedScripts);
        }
        match canonical.chars().count() > 64 {
            true => Err(Malformed::TooLong),
            false => Ok(Self { text, canonical }),
        }
    }

    /// The login as it was given (NFC): what is shown. It parses again to an equal login.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// NFKC, full case folding, NFKC: the key of uniqueness and of every look-up.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

fn is_of_logins(symbol: char) -> bool {
    let is_text = is(LETTER_OR_DIGIT.union(Group::Mark), symbol) && symbol.identifier_allowed();
    is_text || matches!(symbol, '_' | '-' | '.')
}

fn canonical(text: &str) -> String {
    nfkc(&folded(&nfkc(text))).into_owned()
}

/// What a person is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Takes 1 to 128 characters (NFC, without the spaces around them); none that breaks a line, controls the terminal,
    /// turns the direction of the text or has no width; at least one that can be seen.
    ///
    /// # Errors
    /// [`Malformed`] in every way but [`Malformed::MixedScripts`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let name = normal(text.trim(), 128)?;
        if name.chars().any(is_unwritten) {
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

/// The NFC of 1 to `most` characters.
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

const LETTER_OR_DIGIT: Group = Group::Letter.union(Group::Number);

fn is(group: Group, symbol: char) -> bool {
    group.contains(CodePointMapData::<GeneralCategory>::new().get(symbol))
}

/// Controls, line ends, and format characters: the zero-width ones, and those that turn the direction of the text.
fn is_unwritten(symbol: char) -> bool {
    const LINE_ENDS: Group = Group::LineSeparator.union(Group::ParagraphSeparator);
    is(Group::Control.union(Group::Format).union(LINE_ENDS), symbol)
}

/// What is drawn as nothing, also where it is a letter (U+3164) or a mark (U+FE0F).
fn is_ignorable(symbol: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(symbol)
}

/// One form for each text that is written in several (UAX 15).
pub(super) fn nfc(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

fn nfkc(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfkc().normalize(text)
}

/// Full case folding (Unicode §3.13), of no language in particular.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    CaseMapper::new().fold_string(text)
}

#[cfg(test)]
mod tests {
    use Malformed::{Empty, InvalidSymbols, MixedScripts, TooLong};

    use super::*;

    /// Compares what each text is parsed to.
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
    fn logins_that_look_alike_are_one_or_refused() {
        check(
            Login::parse,
            |login| format!("{} = {}", login.as_str(), login.canonical()),
            &[
                ("admin", Ok("admin = admin")),
                ("ADMIN", Ok("ADMIN = admin")),
                ("ａｄｍｉｎ", Ok("ａｄｍｉｎ = admin")),
                ("𝐚𝐝𝐦𝐢𝐧", Ok("𝐚𝐝𝐦𝐢𝐧 = admin")),
                ("админ", Ok("админ = админ")),
                ("АДМИН-1", Ok("АДМИН-1 = админ-1")),
                ("и\u{306}од", Ok("йод = йод")),
                ("Straße", Ok("Straße = strasse")),
                ("ΣΊΣΥΦΟΣ", Ok("ΣΊΣΥΦΟΣ = σίσυφοσ")),
                ("हिन्दी", Ok("हिन्दी = हिन्दी")),
                ("山田はな子", Ok("山田はな子 = 山田はな子")),
                ("my_login.2-b", Ok("my_login.2-b = my_login.2-b")),
                ("0", Ok("0 = 0")),
                // A Cyrillic а; a Greek ο; a Latin c among Cyrillic letters.
                ("аdmin", Err(MixedScripts)),
                ("rοot", Err(MixedScripts)),
                ("cбер", Err(MixedScripts)),
                ("ad\u{200b}min", Err(InvalidSymbols)),
                ("ad\u{200c}min", Err(InvalidSymbols)),
                ("ad\u{200d}min", Err(InvalidSymbols)),
                ("ad\u{ad}min", Err(InvalidSymbols)),
                ("ad\u{fe0f}min", Err(InvalidSymbols)),
                ("ad\u{3164}min", Err(InvalidSymbols)),
                ("\u{feff}admin", Err(InvalidSymbols)),
                ("\u{202e}nimda", Err(InvalidSymbols)),
                ("admin\u{200e}", Err(InvalidSymbols)),
                ("admin\u{e0041}", Err(InvalidSymbols)),
                ("\u{301}admin", Err(InvalidSymbols)),
                ("admin\0", Err(InvalidSymbols)),
                ("admin\n", Err(InvalidSymbols)),
                ("ad min", Err(InvalidSymbols)),
                ("ad\u{a0}min", Err(InvalidSymbols)),
                ("a@b", Err(InvalidSymbols)),
                ("a＠b", Err(InvalidSymbols)),
                ("a#OTP#b", Err(InvalidSymbols)),
                ("a/b", Err(InvalidSymbols)),
                ("a:b", Err(InvalidSymbols)),
                ("a'b", Err(InvalidSymbols)),
                ("a😀", Err(InvalidSymbols)),
                ("_.-", Err(InvalidSymbols)),
                ("", Err(Empty)),
            ],
        );
    }

    #[test]
    fn a_login_has_64_characters_at_most() {
        let length = |text: String| Login::parse(&text).map(|login| login.as_str().chars().count());
        assert_eq!(length("я".repeat(64)), Ok(64));
        assert_eq!(length("я".repeat(65)), Err(TooLong));
        assert_eq!(length("и\u{306}".repeat(64)), Ok(64), "counted after composition");
        assert_eq!(length("ß".repeat(32)), Ok(32));
        assert_eq!(length("ß".repeat(33)), Err(TooLong), "its canonical form has 66");
        assert_eq!(length("a".repeat(1_000_000)), Err(TooLong));
    }

    #[test]
    fn every_letter_has_a_stable_form() {
        let mut letters = 0;
        for symbol in ('\0'..=char::MAX).filter(|symbol| symbol.is_alphanumeric()) {
            for text in [format!("{symbol}"), format!("{symbol}\u{345}\u{301}")] {
                let Ok(login) = Login::parse(&text) else { continue };
                letters += 1;
                assert_eq!(
                    Login::parse(login.as_str()).as_ref(),
                    Ok(&login),
                    "{text:?} is stored as another"
                );
                let again = Login::parse(login.canonical()).map(|again| again.canonical().to_owned());
                assert_eq!(again.as_deref(), Ok(login.canonical()), "{text:?} has a second form");
                assert!(login.canonical().len() <= 1024, "{text:?} is no key");
            }
        }
        assert!(letters > 30_000, "{letters}");
    }

    #[test]
    fn display_names_have_nothing_hidden() {
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
                ("Ma\u{200d}sha", Err(InvalidSymbols)),
                ("\u{202e}ahsaM", Err(InvalidSymbols)),
                ("\u{2066}Masha", Err(InvalidSymbols)),
                ("\u{feff}Masha", Err(InvalidSymbols)),
            ],
        );
    }
}
