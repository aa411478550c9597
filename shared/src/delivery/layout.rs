//! The layout of a mail: its words as plain text and as HTML, both simple enough for any mail program.

use askama::Template;
use textwrap::{Options, WordSplitter};

use crate::domain::crypto::secret::Secret;

/// The content of both parts: plain text, unescaped.
pub(super) struct Parts {
    pub subject: String,
    pub heading: String,
    pub before: Vec<String>,
    pub action: Option<Action>,
    pub after: Vec<String>,
}

/// What a mail is sent for, between its paragraphs.
pub(super) enum Action {
    /// A page to open.
    Link { button: String, copy: String, link: Secret },
    /// A code to type.
    Code(Secret),
}

/// A subject is one header: characters that would end it become a space.
pub(super) fn one_line(subject: &str) -> String {
    let plain = |c: char| match c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
        true => ' ',
        false => c,
    };
    subject.chars().map(plain).collect()
}

/// Paragraphs of at most 72 characters a line. The link or the code is on its own line, unbroken.
pub(super) fn text(parts: &Parts) -> String {
    let wrap = |text: &String| {
        let options = Options::new(72).break_words(false).word_splitter(WordSplitter::NoHyphenation);
        textwrap::fill(text, options)
    };
    let mut paragraphs: Vec<_> = parts.before.iter().map(wrap).collect();
    match &parts.action {
        Some(Action::Link { button, link, .. }) => {
            paragraphs.push(wrap(&format!("{button}:")));
            paragraphs.push(link.expose().to_owned());
        }
        Some(Action::Code(code)) => paragraphs.push(code.expose().to_owned()),
        None => {}
    }
    paragraphs.extend(parts.after.iter().map(wrap));
    paragraphs.join("\n\n") + "\n"
}

pub(super) fn html(lang: &str, parts: &Parts) -> String {
    Html { lang, parts }.render().expect("writing to a text cannot fail")
}

/// Colours follow the reader's theme, light or dark, except the button's: white on #1d4ed8 has a contrast of 6.7 to 1.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="{{ lang }}" style="color-scheme: light dark">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no">
<title>{{ parts.subject }}</title>
</head>
<body style="margin: 0 auto; padding: 16px; max-width: 560px; font: 16px/1.5 sans-serif; overflow-wrap: anywhere">
<h1 style="font-size: 22px; line-height: 1.3">{{ parts.heading }}</h1>
{% for paragraph in parts.before -%}
<p>{{ paragraph }}</p>
{% endfor -%}
{% match parts.action -%}
{% when Some(Action::Link { button, copy, link }) -%}
<p><a href="{{ link.expose() }}" style="display: inline-block; padding: 12px 20px; border-radius: 6px; background: #1d4ed8; color: #ffffff; font-weight: bold; text-decoration: none">{{ button }}</a></p>
<p>{{ copy }}<br><span style="word-break: break-all">{{ link.expose() }}</span></p>
{% when Some(Action::Code(code)) -%}
<p style="font-size: 28px; font-weight: bold; letter-spacing: 2px">{{ code.expose() }}</p>
{% when None -%}
{% endmatch -%}
{% for paragraph in parts.after -%}
<p>{{ paragraph }}</p>
{% endfor -%}
</body>
</html>
"#
)]
struct Html<'a> {
    lang: &'a str,
    parts: &'a Parts,
}
