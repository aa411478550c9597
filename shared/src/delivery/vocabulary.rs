//! The words of mails and text messages, by language. Each locale is one file in `words/`, which the build script
//! finds: a new locale needs a new file here, and one for the page behind mailed links, which has its own words
//! (`functions/app-root/words/`, `page.rs`, `page.html`). A test checks that both have the same languages.

use icu_locale_core::LanguageIdentifier;
use icu_plurals::{PluralCategory, PluralRules};
use serde::Deserialize;

use crate::domain::people::locale::Locale;

include!(concat!(env!("OUT_DIR"), "/locales.rs"));

/// The supported language for a locale, and its words.
pub(super) fn words_of(locale: &Locale) -> (&'static str, Words) {
    let (lang, file) = file_of(locale.as_str());
    let words = serde_json::from_str(file).expect("a test reads every locale's file");
    (lang, words)
}

/// The supported language for a locale, and its file.
fn file_of(locale: &str) -> (&'static str, &'static str) {
    let of = |name: &str| LOCALES.iter().find(|(locale, _)| *locale == name);
    *of(locale).or_else(|| of(Locale::default().as_str())).expect("a test looks for the fallback")
}

/// A locale's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub code: Code,
    pub verification_text: VerificationWords,
    pub verification_mail: VerificationMail,
    pub hours: Plural,
    pub minutes: Plural,
    /// Introduces the address as text, below the button.
    pub copy: String,
    pub confirm_registration: Invitation,
    pub already_registered: Plain,
    pub reset_password: Invitation,
    pub no_account: Plain,
    pub password_changed: Plain,
    pub factor_changed: Plain,
    pub factor_reset: Plain,
    pub factor_disabled: Plain,
    pub locked: Plain,
    pub code_failed: Plain,
    pub app_changed: Plain,
    pub factor_removed: Plain,
    pub recovery_code_used: Plain,
    pub recovery_codes_replaced: Plain,
    pub device_added: Plain,
}

/// A code by text message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Code {
    pub sign_in: String,
    pub confirm_number: String,
}

/// The parts of a text message with a code of the Verify family. Where there are several forms of a part, the first is
/// the preferred one, and each other is shorter than the one before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerificationWords {
    pub code: Vec<String>,
    pub payment: Vec<String>,
    pub expiry: String,
    pub warning: Vec<String>,
}

/// A mail with a code of the Verify family.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerificationMail {
    pub subject: String,
    pub heading: String,
    pub payment: String,
    pub expiry: String,
    pub warning: String,
    pub unrequested: String,
    pub unrequested_payment: String,
}

/// A message with a link.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Invitation {
    pub subject: String,
    pub heading: String,
    pub before: Vec<String>,
    pub button: String,
    pub after: Vec<String>,
}

/// A message without one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plain {
    pub subject: String,
    pub heading: String,
    pub paragraphs: Vec<String>,
}

/// The forms of `{n} hours` and the like, by CLDR's categories. A language has those that its grammar needs, and
/// `other`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plural {
    zero: Option<String>,
    one: Option<String>,
    two: Option<String>,
    few: Option<String>,
    many: Option<String>,
    other: String,
}

impl Plural {
    /// The form for a number, in a language.
    pub fn form(&self, lang: &str, n: u64) -> String {
        let form = match category(lang, n) {
            PluralCategory::Zero => self.zero.as_ref(),
            PluralCategory::One => self.one.as_ref(),
            PluralCategory::Two => self.two.as_ref(),
            PluralCategory::Few => self.few.as_ref(),
            PluralCategory::Many => self.many.as_ref(),
            PluralCategory::Other => None,
        };
        fill(form.unwrap_or(&self.other), &[("n", &n.to_string())])
    }
}

impl Words {
    /// A time of whole minutes, at least one; in hours if it is a number of hours.
    pub fn life(&self, lang: &str, minutes: u64) -> String {
        match minutes.max(1) {
            minutes if minutes.is_multiple_of(60) => self.hours.form(lang, minutes / 60),
            minutes => self.minutes.form(lang, minutes),
        }
    }
}

fn category(lang: &str, n: u64) -> PluralCategory {
    let lang: LanguageIdentifier = lang.parse().expect("a test parses every locale's name");
    let rules = PluralRules::try_new_cardinal(lang.into()).expect("every language has rules, the root's at least");
    rules.category_for(n)
}

/// Replaces each `{name}` with its value. Inserted values are not expanded again.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let known = after.split_once('}').and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((value, after))
        });
        filled.push_str(before);
        match known {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_locale_is_complete() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/delivery/words");
        let mut found = BTreeSet::new();
        for entry in fs::read_dir(folder).expect("the locales' folder") {
            let path = entry.expect("a file").path();
            let name = path.file_stem().and_then(|name| name.to_str()).expect("an ASCII name");
            assert_eq!(
                Locale::parse(name).as_ref().map(Locale::as_str),
                Some(name),
                "a locale's file has its language's name"
            );
            assert!(name.parse::<LanguageIdentifier>().is_ok(), "{name} is no language");
            let text = fs::read_to_string(&path).expect("a text");
            if let Err(error) = serde_json::from_str::<Words>(&text) {
                panic!("{} is not complete: {error}", path.display());
            }
            found.insert(name.to_owned());
        }
        let known: BTreeSet<_> = LOCALES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(known, found, "the build script finds every file");
        assert!(known.contains(Locale::default().as_str()), "a fallback");
    }

    #[test]
    fn only_known_placeholders_are_filled() {
        let values = [("a", "{b}"), ("b", "2")];
        for (text, filled) in [
            ("", ""),
            ("{a} and {b}", "{b} and 2"),
            ("{c}{b", "{c}{b"),
            ("{{b}}", "{2}"),
            ("}{", "}{"),
        ] {
            assert_eq!(fill(text, &values), filled);
        }
    }
}
