//! Coding rules.

use syn::visit::{self, Visit};

use countersign_xtask::source::{Source, below, inside, read, verdict};

/// The Rust of programs, with the tests in the same files.
fn programs() -> Vec<Source> {
    [
        "functions",
        "shared/src",
        "local/src",
        "local/launch/src",
        "xtask/src",
        "local/examples",
        "benches",
    ]
    .iter()
    .flat_map(|folder| below(folder, &[".rs"]))
    .collect()
}

/// The Rust of tests in their own files.
fn tests() -> Vec<Source> {
    ["tests", "local/tests"].iter().flat_map(|folder| below(folder, &[".rs"])).collect()
}

#[test]
fn nothing_is_unwrapped() {
    struct Unwraps(usize);
    impl<'a> Visit<'a> for Unwraps {
        fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
            self.0 += usize::from(call.method == "unwrap" && call.args.is_empty());
            visit::visit_expr_method_call(self, call);
        }

        fn visit_macro(&mut self, call: &'a syn::Macro) {
            inside(call).iter().for_each(|expression| self.visit_expr(expression));
        }
    }
    let mut broken = Vec::new();
    for source in programs() {
        let mut unwraps = Unwraps(0);
        unwraps.visit_file(&source.production());
        if unwraps.0 > 0 {
            broken.push(format!(
                "{} unwraps {} times: write expect(\"why this cannot fail\"), or return the error",
                source.path, unwraps.0
            ));
        }
    }
    verdict(broken);
}

/// Each source of a program or a test that has an attribute of this name, with advice.
fn with_attribute(name: &str, advice: &str) -> Vec<String> {
    struct Search<'n> {
        name: &'n str,
        found: bool,
    }
    impl<'a> Visit<'a> for Search<'_> {
        fn visit_attribute(&mut self, attribute: &'a syn::Attribute) {
            self.found |= attribute.path().is_ident(self.name);
        }
    }
    let mut broken = Vec::new();
    for source in programs().into_iter().chain(tests()) {
        let mut search = Search { name, found: false };
        search.visit_file(&source.whole());
        if search.found {
            broken.push(format!("{} {advice}", source.path));
        }
    }
    broken
}

#[test]
fn no_lint_is_allowed_permanently() {
    verdict(with_attribute(
        "allow",
        "allows a lint: write #[expect(lint, reason = \"…\")], which tells when it is not needed any more",
    ));
}

#[test]
fn every_test_runs() {
    verdict(with_attribute("ignore", "has a test that is ignored: make it run, or remove it"));
}

#[test]
fn no_test_waits_without_a_deadline() {
    struct Polls(bool);
    impl<'a> Visit<'a> for Polls {
        fn visit_expr_while(&mut self, polls: &'a syn::ExprWhile) {
            self.0 |= polls.body.stmts.is_empty();
            visit::visit_expr_while(self, polls);
        }

        fn visit_expr_loop(&mut self, polls: &'a syn::ExprLoop) {
            self.0 |= polls.body.stmts.is_empty();
            visit::visit_expr_loop(self, polls);
        }

        fn visit_macro(&mut self, call: &'a syn::Macro) {
            inside(call).iter().for_each(|expression| self.visit_expr(expression));
        }
    }
    let mut broken = Vec::new();
    for source in tests() {
        let mut polls = Polls(false);
        polls.visit_file(&source.whole());
        if polls.0 {
            broken.push(format!(
                "{} has a loop with nothing in it, which goes on for ever when what it waits for does not come: wait with `eventually`",
                source.path
            ));
        }
    }
    verdict(broken);
}

/// The functions of tests that may sleep: each polls until a condition holds, or a deadline passes.
const POLLS: &[&str] = &["eventually"];

#[test]
fn no_test_sleeps() {
    struct Sleeps {
        found: bool,
        polls: bool,
    }
    impl<'a> Visit<'a> for Sleeps {
        fn visit_item_fn(&mut self, function: &'a syn::ItemFn) {
            let before = self.polls;
            self.polls |= POLLS.iter().any(|name| function.sig.ident == name);
            visit::visit_item_fn(self, function);
            self.polls = before;
        }

        fn visit_path(&mut self, path: &'a syn::Path) {
            let sleeps = path.segments.last().is_some_and(|segment| segment.ident == "sleep");
            self.found |= sleeps && !self.polls;
            visit::visit_path(self, path);
        }
    }
    let mut broken = Vec::new();
    for source in tests() {
        let mut sleeps = Sleeps {
            found: false,
            polls: false,
        };
        sleeps.visit_file(&source.whole());
        if sleeps.found {
            broken.push(format!(
                "{} sleeps: move the cloud's clock, or wait for what must happen with `eventually`",
                source.path
            ));
        }
    }
    verdict(broken);
}

/// Mails and text messages have their own texts, and so does the page behind mailed links.
#[test]
fn mails_and_the_page_have_the_same_languages() {
    let languages = |folder: &str| -> Vec<String> {
        let files = below(folder, &[".json"]).into_iter();
        files
            .filter_map(|file| {
                let name = file.path.rsplit('/').next()?;
                name.strip_suffix(".json").map(str::to_owned)
            })
            .collect()
    };
    let (words, page) = ("shared/src/delivery/words", "functions/app-root/words");
    let mut broken = Vec::new();
    if languages(words) != languages(page) {
        broken.push(format!("{words} and {page} have different languages: write the file that is missing"));
    }
    for language in languages(page) {
        for (path, mark) in [
            ("functions/app-root/page.rs", format!("words/{language}.json")),
            ("functions/app-root/page.html", format!("lang=\"{language}\"")),
            ("docs/operator.md", format!("`{language}`")),
        ] {
            if !read(path).text.contains(&mark) {
                broken.push(format!("{path} does not have {mark}, a language of {page}: add it"));
            }
        }
    }
    verdict(broken);
}

#[test]
fn no_unfinished_code_is_left() {
    // In two parts, so that this file does not match itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("db", "g!("),
    ];
    let endings = &[".rs", ".py", ".js", ".html", ".css"];
    let files = ["functions", "shared", "local", "benches", "tests", "xtask"]
        .into_iter()
        .flat_map(|folder| below(folder, endings));
    let others = ["template.yaml", "Cargo.toml", "README.md", ".ci/run", "deny.toml"];
    let mut broken = Vec::new();
    for source in files.chain(others.map(read)) {
        for (number, line) in source.text.lines().enumerate() {
            for word in words {
                let starts = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                let ends = |at: usize| !line[at + word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
                if line.match_indices(word).any(|(at, _)| starts(at) && (word.ends_with('(') || ends(at))) {
                    broken.push(format!("{}:{} says {word}: do it now, or file an issue", source.path, number + 1));
                }
            }
        }
    }
    verdict(broken);
}

/// The limit of lines per file: a longer one should be split.
const LONGEST: usize = 450;

/// The same for tests: those of one feature are one file.
const LONGEST_TEST: usize = 650;

#[test]
fn files_are_short() {
    let mut broken = Vec::new();
    let endings = &[".rs", ".py", ".js", ".html", ".css"];
    for folder in ["functions", "shared", "local", "benches", "tests"] {
        for source in below(folder, endings) {
            let lines = source.text.lines().count();
            let longest = match source.path.starts_with("tests/") {
                true => LONGEST_TEST,
                false => LONGEST,
            };
            if lines > longest {
                broken.push(format!("{} has {lines} lines, more than {longest}: make two files of it", source.path));
            }
        }
    }
    verdict(broken);
}

#[test]
fn functions_have_no_test_hooks() {
    let mut broken = Vec::new();
    for folder in ["functions", "shared/src"] {
        for source in below(folder, &[".rs"]) {
            for word in [
                "x-local",
                "/_local",
                "debug_assertions",
                "countersign_local",
                "COUNTERSIGN_TEST",
            ] {
                if source.text.contains(word) {
                    broken.push(format!(
                        "{} says {word}: a function does not know where it runs. Let the local cloud do it",
                        source.path
                    ));
                }
            }
        }
    }
    verdict(broken);
}

#[test]
fn secrets_cannot_be_printed_or_compared() {
    const PATH: &str = "shared/src/domain/crypto/secret.rs";
    let file = read(PATH).production();
    let mut broken = Vec::new();
    for secret in ["Secret", "Digest"] {
        for item in &file.items {
            if let syn::Item::Struct(item) = item
                && item.ident == secret
            {
                for attribute in &item.attrs {
                    if let syn::Meta::List(list) = &attribute.meta
                        && list.path.is_ident("derive")
                        && list.tokens.to_string() != "Clone"
                    {
                        broken.push(format!(
                            "{secret} in {PATH} derives {}: derive Clone alone, write a redacted Debug, and compare in \
                             constant time",
                            list.tokens
                        ));
                    }
                }
            }
            if let syn::Item::Impl(item) = item
                && countersign_xtask::source::named(&item.self_ty).is_some_and(|(name, _)| name == secret)
                && let Some(of) = item.trait_.as_ref().and_then(|of| of.0.segments.last())
                && ["Display", "PartialEq", "Eq", "Hash", "Deref", "AsRef", "Serialize"]
                    .iter()
                    .any(|name| of.ident == name)
            {
                broken.push(format!(
                    "{PATH} implements {} for {secret}: a secret is not shown and not compared",
                    of.ident
                ));
            }
        }
    }
    verdict(broken);
}
