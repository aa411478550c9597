//! The documents are true to this repository: the tests that they name exist, and so do the targets of their links.

use std::collections::BTreeSet;

use countersign_xtask::source::{Source, below, read, root, verdict};

/// The requirements, and the tests that prove them.
const SECURITY: &str = "docs/security.md";

/// How many requirements must have rows: R01, R02, and so on.
const REQUIREMENTS: usize = 69;

/// The number of requirements including those found by attacks. They have rows once they are met.
const WITH_NEWER: usize = 80;

#[test]
fn each_requirement_names_tests_that_exist() {
    let text = read(SECURITY).text;
    let rows: Vec<&str> = text.lines().filter(|line| is_requirement(line)).collect();
    let ids = rows.iter().map(|row| row[2..5].to_owned());
    let ids: Vec<String> = ids.collect();
    let id = |number| format!("R{number:02}");
    let wanted: Vec<String> = (1..=REQUIREMENTS).map(id).collect();
    let newer: Vec<String> = (REQUIREMENTS + 1..=WITH_NEWER).map(id).collect();
    let mut broken = Vec::new();
    let (older, rest) = ids.split_at(ids.len().min(REQUIREMENTS));
    let is_ordered = rest.is_sorted() && rest.iter().all(|id| newer.contains(id));
    if older != wanted || !is_ordered {
        broken.push(format!(
            "{SECURITY} must have one row for each of R01 to R{REQUIREMENTS}, in this order, and after them rows of R{} to \
             R{WITH_NEWER}, in theirs",
            REQUIREMENTS + 1
        ));
    }
    let tests = tests();
    for row in rows {
        let shown = row.trim_end_matches([' ', '|']).rsplit_once(" | ").unwrap_or_default().1;
        let named: Vec<&str> = quoted(shown).into_iter().filter(|word| is_name(word)).collect();
        for name in &named {
            if !tests.contains(*name) {
                broken.push(format!(
                    "{SECURITY} shows {} by {name}, which is no test here: name the one that shows it, or say that there is none",
                    &row[2..5]
                ));
            }
        }
        if named.is_empty() && !shown.contains("Not built") && !shown.contains("No test") {
            broken.push(format!(
                "{SECURITY} shows {} by nothing: name a test, or say \"No test\" or \"Not built\"",
                &row[2..5]
            ));
        }
    }
    verdict(broken);
}

/// `| R01 | …`
fn is_requirement(line: &str) -> bool {
    let id = line.strip_prefix("| R").and_then(|rest| rest.split_once(" |"));
    id.is_some_and(|(digits, _)| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The texts between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Names of tests are sentences with `_` between their words.
fn is_name(word: &str) -> bool {
    word.matches('_').count() >= 2
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
}

fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["functions", "local", "shared", "tests", "xtask"] {
        for source in below(folder, &[".rs"]) {
            collect(&source.whole().items, &mut names);
        }
    }
    names
}

fn collect(items: &[syn::Item], names: &mut BTreeSet<String>) {
    for item in items {
        match item {
            syn::Item::Fn(function) if function.attrs.iter().any(is_test) => {
                names.insert(function.sig.ident.to_string());
            }
            syn::Item::Mod(syn::ItemMod {
                content: Some((_, items)),
                ..
            }) => collect(items, names),
            _ => {}
        }
    }
}

/// `#[test]`, `#[tokio::test]`
fn is_test(attribute: &syn::Attribute) -> bool {
    let segments = &attribute.path().segments;
    segments.last().is_some_and(|segment| segment.ident == "test")
}

#[test]
fn every_link_has_a_target() {
    let mut broken = Vec::new();
    let mut count = 0;
    for document in below("", &[".md"]) {
        let folder = document.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for target in links(&document.text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let at = match path {
                "" => root().join(&document.path),
                path => root().join(folder).join(path),
            };
            let found = match heading {
                "" => at.exists(),
                heading => std::fs::read_to_string(at).is_ok_and(|text| headings(&text).contains(heading)),
            };
            if !found {
                broken.push(format!(
                    "{} links to {target}, which is not there: correct the link, or write what it promises",
                    document.path
                ));
            }
        }
    }
    assert!(count > 0, "no document links to another one: this rule reads links as ](target)");
    verdict(broken);
}

/// The targets of links, outside of code.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in prose(text) {
        for part in line.split('`').step_by(2) {
            let targets = part.split("](").skip(1);
            found.extend(targets.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target));
        }
    }
    found
}

/// zsh does not treat `#` as a comment in typed input, and every shell treats `<a name>` as a redirection.
#[test]
fn commands_can_be_pasted() {
    let mut broken = Vec::new();
    let documents = below("docs", &["md"]).into_iter();
    for Source { path, text } in documents.chain(["README.md", "CONTRIBUTING.md"].map(read)) {
        // Version 1 does not know the option, and does not need it.
        if text.contains("--cli-binary-format") && !text.contains("version 2 of the AWS CLI") {
            broken.push(format!(
                "{path} uses --cli-binary-format without the words \"version 2 of the AWS CLI\", which is the one that knows it: add them"
            ));
        }
        for block in text.split("\n```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next()) {
            for line in block.lines() {
                if line.starts_with('#') || line.contains(" # ") {
                    broken.push(format!(
                        "{path} has a comment in a block of commands, which zsh would run: say it in the text, and what is \
                         printed in a block ```text: {line}"
                    ));
                }
                if line.split('<').skip(1).any(|rest| rest.starts_with(|letter: char| letter.is_alphabetic())) {
                    broken.push(format!(
                        "{path} has a placeholder in a block of commands, which a shell takes for a redirection: {line}"
                    ));
                }
            }
        }
        if text.contains("```bash") || text.contains("```zsh") {
            broken.push(format!("{path} has a block of one shell's commands: write ```sh, and what every shell takes"));
        }
    }
    verdict(broken);
}

/// The headings, as GitHub's anchors.
fn headings(text: &str) -> BTreeSet<String> {
    let headings = prose(text).into_iter().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| -> String {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|letter| letter.is_alphanumeric() || "-_ ".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    };
    headings.map(anchor).collect()
}

/// The lines outside code blocks.
fn prose(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        match line.trim_start().starts_with("```") {
            true => in_code = !in_code,
            false if !in_code => lines.push(line),
            false => {}
        }
    }
    lines
}
