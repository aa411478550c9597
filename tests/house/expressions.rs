//! Expressions are valid for DynamoDB, not only for the local cloud's engine.

use syn::visit::{self, Visit};

use countersign_xtask::source::{below, inside, verdict};

/// DynamoDB's reserved words: "Reserved words in DynamoDB" in its Developer Guide, all 573.
const RESERVED: &str = include_str!("reserved_words.txt");

/// The keywords of expressions, as we write them: in capitals, so that they differ from attributes.
const SYNTAX: &[&str] = &["ADD", "AND", "BETWEEN", "DELETE", "IN", "NOT", "OR", "REMOVE", "SET"];

#[test]
fn reserved_words_are_escaped_in_expressions() {
    let reserved: Vec<_> = RESERVED.split_whitespace().collect();
    assert_eq!(reserved.len(), 573, "tests/house/reserved_words.txt is not whole");
    let (mut read, mut broken) = (0, Vec::new());
    for source in below("shared/src/store", &[".rs"]) {
        let mut texts = Texts::default();
        texts.visit_file(&source.production());
        for text in texts.0.iter().filter(|text| is_expression(text)) {
            read += 1;
            for name in attributes(text) {
                if reserved.iter().any(|word| word.eq_ignore_ascii_case(name)) {
                    broken.push(format!(
                        "{} names {name} in {text:?}: DynamoDB reserves it. Write #{name}, and list it in Change::names",
                        source.path
                    ));
                }
            }
        }
    }
    assert!(
        read > 0,
        "no expression is read below shared/src/store: teach tests/house/expressions.rs how they are written now"
    );
    verdict(broken);
}

/// Every string of a file.
#[derive(Default)]
struct Texts(Vec<String>);

impl<'a> Visit<'a> for Texts {
    fn visit_lit_str(&mut self, text: &'a syn::LitStr) {
        self.0.push(text.value());
    }

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        visit::visit_macro(self, call);
        inside(call).iter().for_each(|expression| self.visit_expr(expression));
    }

    // Doc comments are strings, too.
    fn visit_attribute(&mut self, _: &'a syn::Attribute) {}
}

/// Whether a string is a DynamoDB expression: it has a placeholder, an update clause, or tests an attribute.
fn is_expression(text: &str) -> bool {
    let begins = ["ADD ", "DELETE ", "REMOVE ", "SET "].iter().any(|verb| text.starts_with(verb));
    let placeholder = text.split([' ', '(', ',']).any(|word| word.len() > 1 && word.starts_with([':', '#']));
    begins || placeholder || text.contains("attribute_")
}

/// The attributes that an expression names without a `#`, each part of a path by itself.
fn attributes(expression: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ['_', ':', '#', '.', '{', '}'].contains(&c);
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(is_part) {
        let word = &rest[start..];
        let end = word.find(|c| !is_part(c)).unwrap_or(word.len());
        rest = &word[end..];
        // A name before a parenthesis is a function.
        if !rest.starts_with('(') && !SYNTAX.contains(&&word[..end]) {
            found.extend(word[..end].split('.').filter(|part| !part.starts_with([':', '#'])));
        }
    }
    found
}
