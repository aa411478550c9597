//! Dependencies point right: functions → start → services → runtime → store, delivery, http, observe → domain, fault.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use countersign_xtask::source::{Source, below, folders, inside, mentions, verdict};

/// Each module of the shared crate, and the modules that it may depend on besides itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("fault", &["domain"]),
    ("refusal", &["domain", "fault"]),
    ("observe", &["domain", "fault"]),
    ("store", &["domain", "fault"]),
    ("delivery", &["domain", "fault"]),
    ("http", &["domain", "fault", "observe", "refusal"]),
    ("runtime", &["domain", "fault", "store", "delivery", "observe"]),
    (
        "services",
        &[
            "domain", "fault", "store", "delivery", "http", "observe", "refusal", "runtime",
        ],
    ),
    ("start", &["http", "observe", "runtime", "services"]),
];

/// The dialects. Code above `http` that serves several of them names none.
const DIALECTS: &[&str] = &["broadleaf", "era", "gitlab", "mithril", "verify"];

/// Where external APIs may be named: the beginning of a path, and the files that may name it.
const CAPABILITIES: &[(&str, &[&str])] = &[
    (
        "aws_",
        &[
            "delivery/attempt",
            "delivery/bus",
            "delivery/mail",
            "delivery/text",
            "fault",
            "runtime",
            "store",
        ],
    ),
    ("aws_sdk_dynamodb::Client", &["runtime/edge", "store/table"]),
    ("aws_sdk_dynamodb::operation", &["store"]),
    ("aws_sdk_eventbridge", &["delivery/bus", "runtime/edge"]),
    ("aws_sdk_ses", &["delivery/attempt", "delivery/mail", "runtime/edge"]),
    ("aws_sdk_sns", &["delivery/text", "runtime/edge"]),
    ("axum", &[]),
    ("countersign_local", &[]),
    ("lambda_", &["http", "runtime/edge", "start"]),
    ("rand::random", &[]),
    ("rand::rng", &[]),
    ("rand::rngs::SmallRng", &[]),
    ("rand::rngs::StdRng", &[]),
    ("rand::rngs::ThreadRng", &[]),
    ("rand::thread_rng", &[]),
    ("std::env", &["runtime/edge"]),
    ("std::fs", &[]),
    ("std::net", &["domain/limits/network"]),
    ("std::process", &["start"]),
    ("std::thread", &[]),
    ("std::time::Instant", &["http/serve"]),
    ("std::time::SystemTime", &["runtime/edge"]),
    ("tokio", &["http", "runtime/edge", "services/audit", "start", "store/retry"]),
];

/// What floor 0 must not name at all, besides the APIs restricted above.
const IMPURE: &[&str] = &[
    "futures",
    "http",
    "serde",
    "std::future",
    "std::io",
    "std::pin",
    "utoipa",
];

/// The SDK's calls on rows.
const CALLS: &[&str] = &[
    "batch_get_item",
    "batch_write_item",
    "delete_item",
    "get_item",
    "put_item",
    "query",
    "scan",
    "transact_get_items",
    "transact_write_items",
    "update_item",
];

/// The files of the shared crate, each with its module: `store/rows/user.rs` is `[store, rows, user]`.
fn shared() -> Vec<(Source, Vec<String>)> {
    below("shared/src", &[".rs"])
        .into_iter()
        .filter(|source| source.path != "shared/src/lib.rs")
        .map(|source| {
            let path = source.path.trim_start_matches("shared/src/").trim_end_matches(".rs").trim_end_matches("/mod");
            let module = path.split('/').map(str::to_owned).collect();
            (source, module)
        })
        .collect()
}

fn names(module: &[String]) -> Vec<&str> {
    module.iter().map(String::as_str).collect()
}

#[test]
fn dependencies_only_point_right() {
    let mut broken = Vec::new();
    for (source, module) in shared() {
        let floor = &module[0];
        let Some((_, known)) = ARROWS.iter().find(|(name, _)| name == floor) else {
            broken.push(format!(
                "{floor} stands on no floor: add it to ARROWS in tests/house/layers.rs, and to the map in shared/src/lib.rs"
            ));
            continue;
        };
        for path in mentions(&source.production(), &names(&module)) {
            let Some(to) = path.strip_prefix("crate::").and_then(|path| path.split("::").next()) else {
                continue;
            };
            if to != floor && !known.contains(&to) {
                broken.push(format!(
                    "{} names {path}: {floor} does not know {to}. Pass what it needs as a value, or move the code up",
                    source.path
                ));
            }
        }
    }
    verdict(broken);
}

#[test]
fn services_do_not_depend_on_a_dialect() {
    let mut broken = Vec::new();
    for (source, module) in shared() {
        if ["domain", "http"].contains(&module[0].as_str()) {
            continue;
        }
        for path in mentions(&source.production(), &names(&module)) {
            let dialect = path.split("::").skip_while(|name| *name != "dialects").nth(1);
            if dialect.is_some_and(|name| DIALECTS.contains(&name)) {
                broken.push(format!(
                    "{} names {path}: return a neutral refusal (shared/src/refusal.rs), and let the dialect map it",
                    source.path
                ));
            }
        }
    }
    verdict(broken);
}

#[test]
fn each_capability_is_used_by_its_listed_files_only() {
    let mut broken = Vec::new();
    for (source, module) in shared() {
        let own = module.join("/");
        let pure = ["domain", "fault"].contains(&module[0].as_str());
        for path in mentions(&source.production(), &names(&module)) {
            for (capability, files) in CAPABILITIES {
                let through = files.iter().any(|file| own == *file || own.starts_with(&format!("{file}/")));
                if begins(&path, capability) && !through {
                    let where_to = match files.is_empty() {
                        true => "nothing of ours may".to_owned(),
                        false => format!("only shared/src/{} may", files.join(", ")),
                    };
                    broken.push(format!("{} names {path}: {where_to}. Let it be passed in as a value", source.path));
                }
            }
            if pure && IMPURE.iter().any(|name| begins(&path, name)) {
                broken.push(format!(
                    "{} names {path}: floor 0 is pure. Move what needs it to store/, http/ or delivery/",
                    source.path
                ));
            }
        }
        if pure {
            let mut waits = Waits(false);
            waits.visit_file(&source.production());
            if waits.0 {
                broken
                    .push(format!("{} waits (async): a rule is a plain function; pass it what it needs", source.path));
            }
        }
    }
    verdict(broken);
}

/// Whether a path begins with a name: whole, or up to an underscore at the name's end.
fn begins(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| {
        rest.is_empty() || rest.starts_with("::") || name.ends_with('_') || (name == "serde" && rest.starts_with('_'))
    })
}

struct Waits(bool);

impl<'a> Visit<'a> for Waits {
    fn visit_expr_await(&mut self, _: &'a syn::ExprAwait) {
        self.0 = true;
    }

    fn visit_expr_async(&mut self, _: &'a syn::ExprAsync) {
        self.0 = true;
    }

    fn visit_signature(&mut self, signature: &'a syn::Signature) {
        self.0 |= signature.asyncness.is_some();
        visit::visit_signature(self, signature);
    }
}

#[test]
fn one_file_calls_the_store() {
    struct Calls(Vec<String>);
    impl<'a> Visit<'a> for Calls {
        fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
            self.0.push(call.method.to_string());
            visit::visit_expr_method_call(self, call);
        }

        fn visit_macro(&mut self, call: &'a syn::Macro) {
            inside(call).iter().for_each(|expression| self.visit_expr(expression));
        }
    }
    let mut broken = Vec::new();
    let files = below("shared/src/store", &[".rs"]).into_iter().chain(below("functions", &[".rs"]));
    for source in files.filter(|source| !source.path.starts_with("shared/src/store/table")) {
        let mut calls = Calls(Vec::new());
        calls.visit_file(&source.production());
        for call in calls.0.iter().filter(|call| CALLS.contains(&call.as_str())) {
            broken.push(format!("{} calls {call}: let shared/src/store/table.rs do it", source.path));
        }
    }
    verdict(broken);
}

#[test]
fn functions_use_no_other_capabilities() {
    let mut broken = Vec::new();
    for source in below("functions", &[".rs"]) {
        for path in mentions(&source.production(), &[]) {
            let forbidden = [
                "aws_",
                "std::env",
                "std::fs",
                "std::net",
                "std::thread",
                "std::time",
                "tokio",
            ];
            if forbidden.iter().any(|name| begins(&path, name)) {
                broken.push(format!(
                    "{} names {path}: let shared/src/runtime/edge.rs, or another module of the shared crate, do it",
                    source.path
                ));
            }
        }
    }
    verdict(broken);
}

#[test]
fn main_contains_only_modules_and_the_start() {
    let mut broken = Vec::new();
    for source in below("functions", &["/main.rs"]) {
        let other = source.whole().items.iter().any(|item| match item {
            syn::Item::Mod(item) => item.content.is_some(),
            syn::Item::Macro(item) => item.mac.path.segments.last().is_none_or(|name| name.ident != "main"),
            _ => true,
        });
        if other {
            broken.push(format!(
                "{} holds more than modules and countersign_shared::main!: move it to its handler.rs",
                source.path
            ));
        }
    }
    verdict(broken);
}

#[test]
fn black_box_tests_import_no_product_code() {
    let mut broken = Vec::new();
    for source in below("tests", &[".rs"]) {
        let paths = mentions(&source.whole(), &[]);
        for path in paths.iter().filter(|path| begins(path, "countersign_shared")) {
            broken.push(format!("{} names {path}: ask the binaries over HTTP, as callers do", source.path));
        }
    }
    verdict(broken);
}

/// The source folder of each crate, except for this package's own tests and tools.
fn crates() -> Vec<String> {
    let functions = folders("functions").into_iter().map(|name| format!("functions/{name}"));
    ["shared/src".to_owned(), "local/src".to_owned()].into_iter().chain(functions).collect()
}

#[test]
fn files_have_no_circular_dependencies() {
    let mut broken = Vec::new();
    for folder in crates() {
        for circle in Files::below(&folder).circles() {
            broken.push(format!(
                "{}: files of {folder} name each other in a circle. Move what both ends need to a file that names neither, \
                 or pass it as a value",
                circle.join(" → ")
            ));
        }
    }
    verdict(broken);
}

/// The files of a crate by their modules: `[store, table]` is `store/table.rs`, `[]` the crate's root.
struct Files(BTreeMap<Vec<String>, File>);

struct File {
    path: String,
    /// All paths that it names, without its re-exports.
    named: Vec<Vec<String>>,
    /// Its re-exports (`pub use`): the last name of each, and its source.
    passed_on: BTreeMap<String, Vec<String>>,
}

impl Files {
    fn below(folder: &str) -> Self {
        let sources = below(folder, &[".rs"]).into_iter().filter_map(|source| {
            let inside = source.path.strip_prefix(folder)?.trim_start_matches('/');
            let mut module: Vec<_> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            if ["mod", "lib", "main"].contains(&module.last()?.as_str()) {
                module.pop();
            }
            let is_for_tests = module.last().is_some_and(|name| name == "tests");
            (!is_for_tests).then(|| (module.clone(), File::read(&source, &module)))
        });
        // A crate that is a library and a program has two roots: the library's, which comes first, names more.
        let mut files = BTreeMap::new();
        for (module, file) in sources {
            files.entry(module).or_insert(file);
        }
        Self(files)
    }

    /// The file that a path resolves to, as seen from a module, through files that only re-export its item.
    fn find(&self, from: &[String], path: &[String]) -> Option<&Vec<String>> {
        let mut whole = match path.first()?.as_str() {
            "crate" => path[1..].to_vec(),
            first => {
                let file = &self.0[from];
                // An imported name, or one of the module's own.
                let brought = file
                    .named
                    .iter()
                    .find(|named| named.len() > 1 && named[0] == "crate" && named[named.len() - 1] == first);
                match brought.or(file.passed_on.get(first)) {
                    Some(brought) if path.len() > 1 || file.passed_on.contains_key(first) => {
                        [&brought[1..], &path[1..]].concat()
                    }
                    _ => [from, path].concat(),
                }
            }
        };
        loop {
            let depth = (0..=whole.len()).rev().find(|depth| self.0.contains_key(&whole[..*depth]))?;
            let (module, file) = self.0.get_key_value(&whole[..depth])?;
            match whole.get(depth).and_then(|item| file.passed_on.get(item)) {
                Some(origin) => whole = [&origin[1..], &whole[depth + 1..]].concat(),
                None => return Some(module),
            }
        }
    }

    /// A cycle of each group of files that name each other.
    fn circles(&self) -> Vec<Vec<&str>> {
        let mut arrows: BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> = BTreeMap::new();
        for (module, file) in &self.0 {
            // A parent module alone is a visibility: `pub(super)`.
            let is_above = |path: &[String]| path[0] == "crate" && module.starts_with(&path[1..]);
            let named = file.named.iter().filter(|path| !is_above(path));
            let found = named.filter_map(|path| self.find(module, path));
            arrows.insert(module, found.filter(|other| *other != module).collect());
        }
        let mut circles = Vec::new();
        loop {
            // A file that names no remaining file is in no cycle.
            let left: BTreeSet<_> = arrows.keys().copied().collect();
            arrows.values_mut().for_each(|to| to.retain(|other| left.contains(other)));
            let before = arrows.len();
            arrows.retain(|_, to| !to.is_empty());
            if arrows.len() < before {
                continue;
            }
            let Some(first) = arrows.keys().next().copied() else {
                return circles;
            };
            let mut way = vec![first];
            let circle = loop {
                let next = arrows[way[way.len() - 1]].first().copied().expect("the others are gone");
                if let Some(start) = way.iter().position(|module| *module == next) {
                    break way.split_off(start);
                }
                way.push(next);
            };
            let ends = circle.iter().chain(circle.first());
            circles.push(ends.map(|module| self.0[*module].path.as_str()).collect());
            arrows.retain(|module, _| !circle.contains(module));
        }
    }
}

impl File {
    fn read(source: &Source, module: &[String]) -> Self {
        let mut file = source.production();
        let paths = |file: &syn::File| -> Vec<Vec<String>> {
            let paths = mentions(file, &names(module));
            paths.iter().map(|path| path.split("::").map(str::to_owned).collect()).collect()
        };
        let is_passed_on = |item: &syn::Item| match item {
            syn::Item::Use(item) => !matches!(item.vis, syn::Visibility::Inherited),
            _ => false,
        };
        let (passed_on, own) = file.items.into_iter().partition(is_passed_on);
        file.items = passed_on;
        let mut origins = BTreeMap::new();
        // A single name is a macro of this file.
        for path in paths(&file).into_iter().filter(|path| path.len() > 1) {
            let path = match path[0].as_str() {
                "crate" => path,
                _ => [&["crate".to_owned()], module, &path].concat(),
            };
            origins.insert(path[path.len() - 1].clone(), path);
        }
        file.items = own;
        Self {
            path: source.path.clone(),
            named: paths(&file),
            passed_on: origins,
        }
    }
}
