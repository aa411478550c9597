//! Arrows only point right: functions → start → services → runtime → store, delivery, http, observe → domain, fault.

use syn::visit::{self, Visit};

use countersign_xtask::source::{Source, below, inside, mentions, verdict};

/// Each module of the shared crate, and the modules that it may know besides itself.
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

/// The dialects. What is above `http` and serves several of them names none.
const DIALECTS: &[&str] = &["broadleaf", "era", "gitlab", "mithril"];

/// What of the world outside may be named where: the beginning of a path, and the files that may name it.
const DOORS: &[(&str, &[&str])] = &[
    (
        "aws_",
        &["delivery/attempt", "delivery/mail", "delivery/text", "runtime", "store"],
    ),
    ("aws_sdk_dynamodb::Client", &["runtime/edge", "store/table"]),
    ("aws_sdk_dynamodb::operation", &["store"]),
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
    ("std::net", &["domain/network"]),
    ("std::process", &["start"]),
    ("std::thread", &[]),
    ("std::time::Instant", &["http/serve"]),
    ("std::time::SystemTime", &["runtime/edge"]),
    (
        "tokio",
        &["http", "runtime/edge", "services/audit", "start", "store/retry"],
    ),
];

/// What floor 0 must not name at all, besides what has a door elsewhere.
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
            let path = source
                .path
                .trim_start_matches("shared/src/")
                .trim_end_matches(".rs")
                .trim_end_matches("/mod");
            let module = path.split('/').map(str::to_owned).collect();
            (source, module)
        })
        .collect()
}

fn names(module: &[String]) -> Vec<&str> {
    module.iter().map(String::as_str).collect()
}

#[test]
fn arrows_only_point_right() {
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
fn services_speak_no_dialect() {
    let mut broken = Vec::new();
    for (source, module) in shared() {
        if ["domain", "http"].contains(&module[0].as_str()) {
            continue;
        }
        for path in mentions(&source.production(), &names(&module)) {
            if path.split("::").any(|name| DIALECTS.contains(&name)) {
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
fn the_world_has_few_doors() {
    let mut broken = Vec::new();
    for (source, module) in shared() {
        let own = module.join("/");
        let pure = ["domain", "fault"].contains(&module[0].as_str());
        for path in mentions(&source.production(), &names(&module)) {
            for (door, files) in DOORS {
                let through = files
                    .iter()
                    .any(|file| own == *file || own.starts_with(&format!("{file}/")));
                if begins(&path, door) && !through {
                    let where_to = match files.is_empty() {
                        true => "nothing of ours may".to_owned(),
                        false => format!("only shared/src/{} may", files.join(", ")),
                    };
                    broken.push(format!(
                        "{} names {path}: {where_to}. Let it be passed in as a value",
                        source.path
                    ));
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
                broken.push(format!(
                    "{} waits (async): a rule is a plain function; pass it what it needs",
                    source.path
                ));
            }
        }
    }
    verdict(broken);
}

/// Whether a path begins with a name: whole, or up to an underscore that the name ends with.
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
    let files = below("shared/src/store", &[".rs"])
        .into_iter()
        .chain(below("functions", &[".rs"]));
    for source in files.filter(|source| !source.path.starts_with("shared/src/store/table")) {
        let mut calls = Calls(Vec::new());
        calls.visit_file(&source.production());
        for call in calls.0.iter().filter(|call| CALLS.contains(&call.as_str())) {
            broken.push(format!(
                "{} calls {call}: let shared/src/store/table.rs do it",
                source.path
            ));
        }
    }
    verdict(broken);
}

#[test]
fn functions_open_no_other_doors() {
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
                    "{} names {path}: let shared/src/runtime/edge.rs, or a door of the shared crate, do it",
                    source.path
                ));
            }
        }
    }
    verdict(broken);
}

#[test]
fn main_names_what_it_starts_and_nothing_else() {
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
            broken.push(format!(
                "{} names {path}: ask the binaries over HTTP, as callers do",
                source.path
            ));
        }
    }
    verdict(broken);
}
