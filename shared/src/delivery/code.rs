//! The texts of messages with codes, built purely: the code, its purpose, and the origin that may accept it. They
//! contain no text that a requester wrote (R32), and no link.

use std::collections::BTreeMap;

use super::vocabulary::{fill, words_of};
use crate::domain::{
    crypto::secret::Secret,
    otp::Purpose,
    people::{locale::Locale, name::DomainName},
};

/// The operator's own templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Templates {
    /// None: our own texts are used.
    Ours,
    /// One text for all languages.
    One(String),
    /// Texts by language code. Our own are used for other languages.
    ByLanguage(BTreeMap<String, String>),
}

impl Templates {
    /// The template for a language.
    #[must_use]
    pub fn of(&self, locale: &Locale) -> Option<&str> {
        match self {
            Self::Ours => None,
            Self::One(text) => Some(text),
            Self::ByLanguage(texts) => texts.get(locale.as_str()).map(String::as_str),
        }
    }
}

/// The placeholder of the code in a template.
const MARK: &str = "<otp.code>";

/// Composes a message with a code: the operator's template, or our own in the domain's language, and then the line by
/// which browsers know the only origin that the code is for (WICG, "Origin-bound one-time codes delivered via SMS"). A
/// template without the placeholder is the original's way to request the bare code only.
#[must_use]
pub fn code_text(
    locale: &Locale,
    template: Option<&str>,
    purpose: Purpose,
    domain: &DomainName,
    code: &Secret,
) -> Secret {
    let digits = code.expose();
    let said = match template {
        Some(text) if !text.contains(MARK) => return code.clone(),
        Some(text) => text.replace(MARK, digits),
        None => {
            let (_, words) = words_of(locale);
            let text = match purpose {
                Purpose::SignIn => &words.code.sign_in,
                Purpose::Approval => &words.code.confirm_number,
            };
            fill(text, &[("code", digits)])
        }
    };
    Secret::new(format!("{said}\n\n@{} #{digits}", domain.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ASCII characters that take one septet in the default alphabet (3GPP TS 23.038 §6.2.1).
    const GSM_7: &str = "@$_ \n\r!\"#%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    fn check(locale: &str, template: Option<&str>, purpose: Purpose, expected: &str) {
        let locale = Locale::parse(locale).expect("a good tag");
        let domain = DomainName::parse("pbx.era-platform.ru").expect("a good name");
        let said = code_text(&locale, template, purpose, &domain, &Secret::new("042317".into()));
        assert_eq!(said.expose(), expected);
        // One segment: 160 of GSM's characters, and 70 units of UTF-16 where there are others.
        let most = if expected.is_ascii() { 160 } else { 70 };
        assert!(said.expose().encode_utf16().count() <= most, "{expected}");
    }

    #[test]
    fn a_code_message_states_its_purpose_and_origin() {
        for (locale, sign_in, confirm_number) in [
            ("en", "042317 is your code to sign in.", "042317 is your code to confirm this number."),
            ("ru", "042317 — код для входа.", "042317 — код подтверждения номера."),
            ("uk", "042317 — код для входу.", "042317 — код підтвердження номера."),
            ("tlh", "042317 is your code to sign in.", "042317 is your code to confirm this number."),
        ] {
            for (purpose, said) in [(Purpose::SignIn, sign_in), (Purpose::Approval, confirm_number)] {
                check(locale, None, purpose, &format!("{said}\n\n@pbx.era-platform.ru #042317"));
            }
        }
    }

    #[test]
    fn an_english_message_with_a_long_domain_and_code_is_one_segment() {
        let domain = DomainName::parse(&format!("{}.{}.ru", "a".repeat(48), "b".repeat(48))).expect("a good name");
        assert_eq!(domain.as_str().len(), 100);
        for purpose in [Purpose::SignIn, Purpose::Approval] {
            let code = Secret::new("01234567".into());
            let said = code_text(&Locale::default(), None, purpose, &domain, &code);
            assert!(said.expose().chars().all(|c| GSM_7.contains(c)), "{}", said.expose());
            assert!(said.expose().len() <= 160, "{}", said.expose());
        }
    }

    #[test]
    fn an_operators_template_determines_the_text() {
        for (template, expected) in [
            ("Code: <otp.code>", "Code: 042317\n\n@pbx.era-platform.ru #042317"),
            ("<otp.code>,<otp.code>", "042317,042317\n\n@pbx.era-platform.ru #042317"),
            ("{code} <otp.code>", "{code} 042317\n\n@pbx.era-platform.ru #042317"),
            ("Hello", "042317"),
            ("<otp.CODE>", "042317"),
        ] {
            for locale in ["en", "uk"] {
                check(locale, Some(template), Purpose::SignIn, expected);
            }
        }
    }

    #[test]
    fn a_language_without_a_template_uses_the_default_text() {
        let texts = BTreeMap::from([("uk".to_owned(), "Код: <otp.code>".to_owned())]);
        for (templates, locale, expected) in [
            (Templates::Ours, "uk", None),
            (Templates::One("x".into()), "uk", Some("x")),
            (Templates::ByLanguage(texts.clone()), "uk-UA", Some("Код: <otp.code>")),
            (Templates::ByLanguage(texts), "en", None),
        ] {
            let locale = Locale::parse(locale).expect("a good tag");
            assert_eq!(templates.of(&locale), expected, "{templates:?}");
        }
    }
}
