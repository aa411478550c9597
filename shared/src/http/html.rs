//! HTML pages, for calls from a browser.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

/// A finished page with the narrowest content security policy that it needs.
#[derive(Debug)]
pub struct Page {
    pub(super) html: String,
    pub(super) language: &'static str,
    pub(super) policy: String,
}

impl Page {
    /// A page in a language. Its content security policy allows exactly its own `<style>` and `<script>` elements, byte
    /// for byte, and requests to this origin only (ASVS 3.4.3, 3.4.6).
    #[must_use]
    pub fn new(language: &'static str, html: String) -> Self {
        let policy = format!(
            "default-src 'none'; style-src{}; script-src{}; connect-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
            hashes(&html, "style"),
            hashes(&html, "script"),
        );
        Self { html, language, policy }
    }
}

/// The hashes of the inline elements of that name. Elements with attributes are data, to which no policy applies.
fn hashes(html: &str, name: &str) -> String {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    html.split(&start)
        .skip(1)
        .filter_map(|rest| rest.split_once(&end))
        .map(|(inner, _)| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(inner))))
        .collect()
}

/// The offered language that an `Accept-Language` (RFC 9110 §12.5.4) prefers; the first if none matches, or the header
/// is malformed. Regions are ignored: `uk-UA` is `uk`.
#[must_use]
pub fn preferred_language(accepted: Option<&str>, offered: &[&'static str]) -> &'static str {
    let mut best = (offered[0], 0.0);
    for range in accepted.unwrap_or_default().split(',') {
        let (range, parameter) = range.split_once(';').unwrap_or((range, "q=1"));
        let primary = range.trim().split('-').next().unwrap_or_default();
        let weight = parameter.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
        let weight = weight.filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0);
        let found = offered.iter().find(|language| language.eq_ignore_ascii_case(primary));
        if let Some(language) = found
            && weight > best.1
        {
            best = (language, weight);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_security_policy_has_the_hash_of_every_inline_element() {
        let html =
            "<style>a{}</style><script type=\"application/json\">{}</script><script>1</script><script>2</script>";
        let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
        let expected = format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}' 'sha256-{}'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash("a{}"),
            hash("1"),
            hash("2"),
        );
        assert_eq!(Page::new("en", html.into()).policy, expected);
    }

    #[test]
    fn the_preferred_language_is_selected() {
        for (accepted, expected) in [
            (None, "en"),
            (Some(""), "en"),
            (Some("uk"), "uk"),
            (Some("UK-ua"), "uk"),
            (Some("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7"), "ru"),
            (Some("de, uk;q=0.5, ru;q=0.4"), "uk"),
            (Some("de;q=1, en;q=0.1, ru;q=0.2"), "ru"),
            (Some("ru;q=0.5, uk;q=0.5"), "ru"),
            (Some("ru;q=0"), "en"),
            (Some("ru;q=0, uk;q=0.001"), "uk"),
            (Some("*"), "en"),
            (Some("rus, ukr"), "en"),
            (Some("ru;q=nan"), "en"),
            (Some("ru;q=1e9, uk"), "uk"),
            (Some("ru;q=-1, uk;q=inf"), "en"),
            (Some("ru;level=1"), "en"),
            (Some(";;;,,,q=1;q=1,-,ru-"), "ru"),
        ] {
            assert_eq!(preferred_language(accepted, &["en", "ru", "uk"]), expected, "{accepted:?}");
        }
    }
}
