//! Names of tenants, people and mailboxes, in the one form by which they are compared (Unicode UAX 15, UTS 39 and UTS 46;
//! OWASP's Email Validation Cheat Sheet). What is parsed here is never checked again.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{
    CodePointMapData,
    props::{GeneralCategory, GeneralCategoryGroup},
};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_security::{GeneralSecurityProfile as _, MixedScript as _};

/// No name that is acceptable needs more bytes than this, however it is composed: longer ones are refused unread.
const MOST_BYTES: usize = 1024;

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
    /// Takes 1 to 64 characters, also in the canonical form: letters, digits and marks that UTS 39 recommends for
    /// identifiers, of one script, and `_`, `-`, `.`; at least one letter or digit.
    ///
    /// # Errors
    /// [`Malformed`] in every way.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let text = normal(text, 64)?;
        // The compatibility form is what is checked: `ａｄｍｉｎ` is a way to write `admin`, and `＠` a way to write `@`.
        let compatible = nfkc(&text);
        if !compatible.chars().all(is_of_logins) || !compatible.chars().any(char::is_alphanumeric) {
            return Err(Malformed::InvalidSymbols);
        }
        if !compatible.is_single_script() {
            return Err(Malformed::MixedScripts);
        }
        let canonical = canonical(&compatible);
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
    let category = CodePointMapData::<GeneralCategory>::new().get(symbol);
    let is_text = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Mark)
        .union(GeneralCategoryGroup::Number)
        .contains(category);
    matches!(symbol, '_' | '-' | '.') || (is_text && symbol.identifier_allowed())
}

fn canonical(compatible: &str) -> String {
    nfkc(&folded(compatible)).into_owned()
}

/// One bare mailbox: what a mail may be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress {
    text: String,
    at: usize,
    canonical: String,
}

impl EmailAddress {
    /// Takes a dot-atom of 1 to 64 ASCII characters (RFC 5322 §3.2.3; no `%`, which relays and decoders read as their
    /// own), `@`, and a host name of at least two labels, in Unicode or ASCII (UTS 46); 254 in all (RFC 5321 §4.5.3).
    /// Nothing quoted, no comment, no display name, no list, no IP address.
    ///
    /// # Errors
    /// [`Malformed`] in every way but [`Malformed::MixedScripts`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Err(Malformed::Empty);
        }
        if text.len() > MOST_BYTES {
            return Err(Malformed::TooLong);
        }
        let (local, host) = text.split_once('@').ok_or(Malformed::InvalidSymbols)?;
        if !local.split('.').all(is_atom) {
            return Err(Malformed::InvalidSymbols);
        }
        let host = mail_host(host)?;
        let text = format!("{local}@{}", host.as_str());
        match local.len() > 64 || text.len() > 254 {
            true => Err(Malformed::TooLong),
            false => Ok(Self {
                at: local.len(),
                canonical: text.to_ascii_lowercase(),
                text,
            }),
        }
    }

    /// The local part as given and the domain in lower-case ASCII: what a mail is sent to.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address in lower case: the key of uniqueness. No dot or `+tag` is taken away: what they mean is the
    /// provider's business.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The address for a log: `m***@yandex.ru`.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("{}***{}", &self.text[..1], &self.text[self.at..])
    }
}

fn is_atom(atom: &str) -> bool {
    let of_atoms = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&'*+-/=?^_`{|}~".contains(&byte);
    !atom.is_empty() && atom.bytes().all(of_atoms)
}

fn mail_host(text: &str) -> Result<DomainName, Malformed> {
    // UTS 46 would drop what cannot be seen; a person did not type it.
    if text.chars().any(is_invisible) {
        return Err(Malformed::InvalidSymbols);
    }
    let ascii = Uts46::new()
        .to_ascii(
            text.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Ignore,
        )
        .map_err(|_| Malformed::InvalidSymbols)?;
    let host = DomainName::parse(&ascii).map_err(|why| match why {
        Malformed::TooLong => Malformed::TooLong,
        Malformed::Empty | Malformed::InvalidSymbols | Malformed::MixedScripts => Malformed::InvalidSymbols,
    })?;
    // A top-level domain begins with a letter (RFC 3696 §2); the last part of an IP address does not.
    match ascii.rsplit_once('.') {
        Some((_, top)) if top.starts_with(|symbol: char| symbol.is_ascii_alphabetic()) => Ok(host),
        Some(_) | None => Err(Malformed::InvalidSymbols),
    }
}

/// What a person is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Takes 1 to 128 characters (NFC, without the spaces around them); none that breaks a line, controls the terminal,
    /// turns the direction of the text or cannot be seen.
    ///
    /// # Errors
    /// [`Malformed`] in every way but [`Malformed::MixedScripts`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let name = normal(text.trim(), 128)?;
        match name.chars().any(is_invisible) {
            true => Err(Malformed::InvalidSymbols),
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
    if text.len() > 2 * MOST_BYTES {
        return Err(Malformed::TooLong);
    }
    let text = nfc(text).into_owned();
    match text.chars().count() > most {
        true => Err(Malformed::TooLong),
        false => Ok(text),
    }
}

/// Controls, line ends, and format characters: the zero-width ones, and those that turn the direction of the text.
fn is_invisible(symbol: char) -> bool {
    GeneralCategoryGroup::Control
        .union(GeneralCategoryGroup::Format)
        .union(GeneralCategoryGroup::LineSeparator)
        .union(GeneralCategoryGroup::ParagraphSeparator)
        .contains(CodePointMapData::<GeneralCategory>::new().get(symbol))
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
