//! Logins: what may be one, and what is the same one.

use icu_properties::props::GeneralCategoryGroup as Group;
use unicode_security::{GeneralSecurityProfile as _, MixedScript as _};

use super::{
    Malformed, folded, is,
    joiners::{self, is_joiner},
    nfkc, normal, trimmed,
};

/// What a person signs in with. Two logins with one [`canonical`](Self::canonical) form are the same login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    text: String,
    canonical: String,
}

impl Login {
    /// Takes 1 to 64 characters, also in the canonical form, which has letters, digits and marks that UTS 39 recommends
    /// for identifiers, of one script, and `_`, `-`, `.`; at least one letter or digit, and no mark in front. Joiners are taken
    /// where a script needs them, and make no other login. Blanks around it are trimmed.
    ///
    /// # Errors
    /// [`Malformed`] in every way.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let text = normal(trimmed(text), 64)?;
        // The canonical form is what is checked: `ａｄｍｉｎ` is a way to write `admin`, and `＠` a way to write `@`.
        let canonical = canonical(&text);
        if !joiners::are_in_place(&text)
            || !canonical.chars().all(is_of_logins)
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

    /// NFKC, full case folding, NFKC, without joiners: the key of uniqueness and of every look-up.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

const LETTER_OR_DIGIT: Group = Group::Letter.union(Group::Number);

fn is_of_logins(symbol: char) -> bool {
    let is_text = is(LETTER_OR_DIGIT.union(Group::Mark), symbol) && symbol.identifier_allowed();
    is_text || matches!(symbol, '_' | '-' | '.')
}

fn canonical(text: &str) -> String {
    let drawn: String = text.chars().filter(|symbol| !is_joiner(*symbol)).collect();
    nfkc(&folded(&nfkc(&drawn))).into_owned()
}

#[cfg(test)]
mod tests {
    use Malformed::{Empty, InvalidSymbols, MixedScripts, TooLong};

    use super::{super::tests::check, *};

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
                (" admin ", Ok("admin = admin")),
                ("\tadmin\u{a0}\u{3000}", Ok("admin = admin")),
                (" \t", Err(Empty)),
                // A Cyrillic а; a Greek ο; a Latin c among Cyrillic letters.
                ("аdmin", Err(MixedScripts)),
                ("rοot", Err(MixedScripts)),
                ("cбер", Err(MixedScripts)),
                ("ad\u{200b}min", Err(InvalidSymbols)),
                ("علی\u{200c}رضا", Ok("علی\u{200c}رضا = علیرضا")),
                ("ශ්\u{200d}රී", Ok("ශ්\u{200d}රී = ශ්රී")),
                ("علی\u{200c}", Err(InvalidSymbols)),
                ("👨\u{200d}👩", Err(InvalidSymbols)),
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
}
