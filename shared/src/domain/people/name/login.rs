//! Logins: which texts are valid, which are equal, and which are confusable.

use std::collections::BTreeSet;

use icu_casemap::CaseMapper;
use icu_locale_core::LanguageIdentifier;
use icu_properties::props::GeneralCategoryGroup as Group;
use rand::TryCryptoRng;
use unicode_security::{GeneralSecurityProfile as _, MixedScript as _, skeleton};

use super::{
    EmailAddress, Malformed, folded, is,
    joiners::{self, is_joiner},
    nfkc, normal, trimmed,
};
use crate::domain::crypto::secret::{NoEntropy, random_text};

/// A login name. Two logins with the same [`canonical`](Self::canonical) form are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    text: String,
    canonical: String,
}

impl Login {
    /// Accepts 1 to 64 characters, also in the canonical form, which consists of letters, digits and marks that UTS 39
    /// recommends for identifiers, of one script, and `_`, `-`, `.`; at least one letter or digit, and no leading mark.
    /// Joiners are accepted where a script needs them, and do not distinguish logins. Blanks around it are trimmed.
    ///
    /// # Errors
    /// [`Malformed`] in every way.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let text = normal(trimmed(text), 64)?;
        // The canonical form is checked: `ａｄｍｉｎ` is a way to write `admin`, and `＠` a way to write `@`.
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

    /// The login as given (NFC), for display. It parses again to an equal login.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// NFKC, full case folding, NFKC, without joiners: the key for uniqueness and for every look-up.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The skeletons (UTS 39 §4) of the login as displayed, in lower case and in upper case. Logins that share one are
    /// confusable, even if each is of one script: `сосо` for `coco`, `ВОСК` for `BOCK`, `lan` for `Ian`. One form is
    /// not enough: `в` resembles no Latin letter, and `В` does.
    #[must_use]
    pub fn looks(&self) -> BTreeSet<String> {
        let capitals = CaseMapper::new().uppercase_to_string(&self.canonical, &LanguageIdentifier::UNKNOWN);
        let shapes = [&self.text, &self.canonical, &*capitals];
        shapes.map(|shape| skeleton(shape).collect()).into()
    }

    /// A login for a user who gave only a mail address: the local part, with `-` for each character that a login cannot
    /// have.
    #[must_use]
    pub fn derived(email: &EmailAddress) -> Self {
        let text = derivable(email);
        Self::parse(&text).unwrap_or_else(|_| Self::parse(ANYBODY).expect("a word is a login"))
    }

    /// The same with a random suffix of six characters, for when the plain one is taken: from 27 characters that do not
    /// resemble each other, so one of 387 million.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn derived_at_random(email: &EmailAddress, rng: &mut impl TryCryptoRng) -> Result<Self, NoEntropy> {
        const LENGTH: usize = 6;
        let suffix = random_text(rng, b"bcdfghjknpqrstvwxyz23456789", LENGTH)?;
        let beginning: String = Self::derived(email).text.chars().take(64 - 1 - LENGTH).collect();
        let text = format!("{beginning}-{}", suffix.expose());
        Ok(Self::parse(&text).expect("64 symbols of logins at most, some of them letters or digits"))
    }
}

/// The login to derive from where an address has no letter or digit.
const ANYBODY: &str = "user";

fn derivable(email: &EmailAddress) -> String {
    let (local, _) = email.as_str().split_once('@').expect("an address has a local part");
    let symbol = |symbol: char| if is_of_logins(symbol) { symbol } else { '-' };
    local.chars().map(symbol).collect()
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
    use rand::rngs::SysRng;

    use super::{super::tests::check, *};
    use crate::domain::crypto::secret::tests::Broken;

    #[test]
    fn confusable_logins_are_equal_or_refused() {
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
    fn confusable_logins_share_a_skeleton() {
        let login = |text| Login::parse(text).expect(text);
        for (one, other, alike) in [
            ("admin", "admin", true),
            ("admin", "ADMIN", true),
            // Of one script each: Cyrillic, Greek.
            ("coco", "сосо", true),
            ("scope", "ѕсоре", true),
            ("BOCK", "ВОСК", true),
            ("bock", "ВОСК", true),
            ("bock", "воск", true),
            ("Max", "МАХ", true),
            ("kiki", "κικι", true),
            ("coco", "ϲοϲο", true),
            ("coco", "ｃｏｃｏ", true),
            // Of the same script.
            ("admin", "adrnin", true),
            ("paypal", "paypa1", true),
            ("root", "r00t", true),
            ("Ian", "lan", true),
            ("ian", "IAN", true),
            ("ADMIN", "ADMlN", true),
            ("modern", "modem", true),
            ("user-1", "user-l", true),
            ("ニ", "二", true),
            ("علی\u{200c}رضا", "علیرضا", true),
            ("straße", "STRASSE", true),
            ("admin", "admins", false),
            ("anna", "anne", false),
            ("ali", "all", false),
            ("van", "nan", false),
            ("buy", "byu", false),
            ("user1", "user2", false),
            ("a.b", "a-b", false),
            ("a_b", "a-b", false),
            ("masha", "маша", false),
            ("йод", "иод", false),
            ("josé", "jose", false),
            ("101", "110", false),
        ] {
            let (one, other) = (login(one), login(other));
            let found = !one.looks().is_disjoint(&other.looks());
            assert_eq!(found, alike, "{one:?} {:?} {other:?} {:?}", one.looks(), other.looks());
        }
        assert!((1..=3).contains(&login("Мария-1").looks().len()));
    }

    #[test]
    fn a_login_is_derived_from_any_address() {
        let (long, dashes) = ("a".repeat(64), "-".repeat(64));
        for (local, expected) in [
            ("anna", "anna"),
            ("Anna.K", "Anna.K"),
            ("anna+test", "anna-test"),
            ("o'brien_2", "o-brien_2"),
            ("!#$&'*+-/=?^_`{|}~a", "------------_-----a"),
            (&long, &long),
            ("+", "user"),
            ("__", "user"),
            (&dashes, "user"),
        ] {
            let email = EmailAddress::parse(&format!("{local}@example.com")).expect("an address");
            assert_eq!(Login::derived(&email).as_str(), expected, "{local}");
            let other = Login::derived_at_random(&email, &mut SysRng).expect("the system has entropy");
            let begins: String = expected.chars().take(57).collect();
            let rest = other.as_str().strip_prefix(&format!("{begins}-")).expect("it begins alike");
            assert_eq!(rest.len(), 6, "{other:?}");
            let again = Login::derived_at_random(&email, &mut SysRng).expect("the system has entropy");
            assert!(again != other && again.looks().is_disjoint(&other.looks()), "{again:?}");
            assert!(Login::derived_at_random(&email, &mut Broken).is_err());
        }
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
    fn the_canonical_form_of_every_letter_is_stable() {
        let mut letters = 0;
        for symbol in ('\0'..=char::MAX).filter(|symbol| symbol.is_alphanumeric()) {
            for text in [format!("{symbol}"), format!("{symbol}\u{345}\u{301}")] {
                let Ok(login) = Login::parse(&text) else { continue };
                letters += 1;
                assert_eq!(Login::parse(login.as_str()).as_ref(), Ok(&login), "{text:?} is stored as another");
                let again = Login::parse(login.canonical()).map(|again| again.canonical().to_owned());
                assert_eq!(again.as_deref(), Ok(login.canonical()), "{text:?} has a second form");
                assert!(login.canonical().len() <= 1024, "{text:?} is no key");
            }
        }
        assert!(letters > 30_000, "{letters}");
    }
}
