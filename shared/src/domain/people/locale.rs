//! Locales: the language of a domain's messages.

/// A language, by its lower-case ISO 639 code: `en`, `ru`, `uk`.
#[derive(Clone, Debug, PartialEq)]
pub struct Locale(String);

impl Locale {
    /// Parses a language tag (RFC 5646): two or three ASCII letters, and any well-formed subtags. Only the language
    /// counts: `uk-UA` is `uk`. `None` for anything else.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        let mut subtags = tag.split('-');
        let language = subtags.next().filter(|language| {
            (2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        })?;
        let well_formed =
            |subtag: &str| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric());
        subtags.all(well_formed).then(|| Self(language.to_ascii_lowercase()))
    }

    /// The language's code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Locale {
    /// English, which every deployment supports.
    fn default() -> Self {
        Self("en".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_language_of_a_tag_is_used() {
        for (tag, language) in [
            ("en", Some("en")),
            ("RU", Some("ru")),
            ("uk-UA", Some("uk")),
            ("zh-Hant-TW", Some("zh")),
            ("ast", Some("ast")),
            ("", None),
            ("e", None),
            ("engl", None),
            ("en-", None),
            ("en-abcdefghi", None),
            ("en_GB", None),
            ("e1", None),
            ("ру", None),
            ("../en", None),
            ("en\r\n", None),
            ("en\"><script>", None),
            ("en-\"><a>", None),
            (" en", None),
        ] {
            assert_eq!(Locale::parse(tag).as_ref().map(Locale::as_str), language, "{tag:?}");
        }
    }
}
