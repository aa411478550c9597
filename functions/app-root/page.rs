//! Renders the page, once for each language. It contains no caller input.

use std::collections::BTreeMap;

use countersign_shared::{
    http::html::{Page, preferred_language},
    runtime::edge::{Edge, Refused, Wire},
};

/// The texts, by language. A new language is a file, a line here and a button in page.html.
const WORDS: [(&str, &str); 3] = [
    ("en", include_str!("words/en.json")),
    ("ru", include_str!("words/ru.json")),
    ("uk", include_str!("words/uk.json")),
];

/// The page in every language.
pub struct Pages(BTreeMap<&'static str, Page>);

impl Wire for Pages {
    fn wire(edge: &Edge) -> Result<Self, Refused> {
        Ok(Self::new(edge.login_url()?.as_deref()))
    }
}

impl Pages {
    /// The pages, with a link to the login page if known.
    fn new(login_url: Option<&str>) -> Self {
        let page = |(language, words): (&'static str, &str)| (language, Page::new(language, html(words, login_url)));
        Self(WORDS.map(page).into())
    }

    /// The page in the caller's preferred language.
    pub fn preferred(&self, accepted: Option<&str>) -> &Page {
        &self.0[preferred_language(accepted, &WORDS.map(|(language, _)| language))]
    }
}

/// The page in one language. It contains the texts of all languages, so that it can switch without being reloaded.
fn html(words: &str, login_url: Option<&str>) -> String {
    let words: BTreeMap<&str, String> = serde_json::from_str(words).expect("the words are texts by name");
    let all: Vec<_> = WORDS.iter().map(|(language, words)| format!("\"{language}\":{words}")).collect();
    // In JSON a character and its escape are equal; in HTML only the escape cannot end the element.
    let all = format!("{{{}}}", all.join(",")).replace('<', "\\u003c");
    let mut html = String::new();
    for (at, part) in include_str!("page.html").split("{{").enumerate() {
        if at == 0 {
            html += part;
            continue;
        }
        let (name, rest) = part.split_once("}}").expect("a mark ends");
        match name {
            "style" => html += include_str!("page.css"),
            "script" => html += concat!(include_str!("strength.js"), include_str!("page.js")),
            "words" => html += &all,
            "way_on_done" => html += &way_on(login_url, "close_done"),
            "way_on" => html += &way_on(login_url, "close"),
            word => html += &escaped(&words[word]),
        }
        html += rest;
    }
    html
}

/// The link to the login page; without one, the text that replaces it.
fn way_on(login_url: Option<&str>, otherwise: &str) -> String {
    match login_url {
        Some(url) => format!("<a href=\"{}\" data-words=\"to_login\"></a>", escaped(url)),
        None => format!("<span data-words=\"{otherwise}\"></span>"),
    }
}

fn escaped(text: &str) -> String {
    let escape = |sign| match sign {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        sign => sign.to_string(),
    };
    text.chars().map(escape).collect()
}
