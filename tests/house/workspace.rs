//! The workspace: versions, lints and the licence are declared once.

use countersign_xtask::source::{below, read, verdict};

/// A `Cargo.toml`, as flat lines. Our own have one `key = value` per line, under plain headings.
struct Manifest {
    path: String,
    lines: Vec<Line>,
}

struct Line {
    /// `dependencies`, `[bin]` and the like.
    table: String,
    key: String,
    value: String,
}

impl Manifest {
    fn read(path: &str) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        let mut table = String::new();
        for line in read(path).text.lines() {
            let line = line.trim();
            if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                heading.clone_into(&mut table);
            } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                lines.push(Line {
                    table: table.clone(),
                    key: key.trim().to_owned(),
                    value: value.trim().to_owned(),
                });
            }
        }
        Self {
            path: path.to_owned(),
            lines,
        }
    }

    fn table(&self, name: &str) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.table == name)
    }

    fn value(&self, table: &str, key: &str) -> Option<&str> {
        self.table(table).find(|line| line.key == key).map(|line| line.value.as_str())
    }

    /// The dependencies of every kind, as `(name, value)`.
    fn dependencies(&self) -> Vec<(&str, String)> {
        self.lines
            .iter()
            .filter(|line| line.table.ends_with("dependencies") && line.table != "workspace.dependencies")
            .map(|line| match line.key.split_once('.') {
                Some((name, key)) => (name, format!("{key} = {}", line.value)),
                None => (line.key.as_str(), line.value.clone()),
            })
            .collect()
    }
}

fn root() -> Manifest {
    Manifest::read("Cargo.toml")
}

fn members() -> Vec<Manifest> {
    let root = root();
    let members = root.value("workspace", "members").expect("the workspace lists its members");
    let names = unquoted(members);
    names
        .iter()
        .filter(|name| **name != ".")
        .map(|name| Manifest::read(&format!("{name}/Cargo.toml")))
        .collect()
}

/// The texts in quotes.
fn unquoted(value: &str) -> Vec<&str> {
    value.split('"').skip(1).step_by(2).collect()
}

#[test]
fn members_inherit_from_the_workspace() {
    let mut broken = Vec::new();
    for member in members().iter().chain([&root()]) {
        let path = &member.path;
        for key in ["edition", "rust-version", "license", "publish", "version"] {
            if member.value("package", &format!("{key}.workspace")) != Some("true") {
                broken.push(format!("{path} sets its own {key}: write {key}.workspace = true"));
            }
        }
        if member.value("lints", "workspace") != Some("true") {
            broken.push(format!("{path} has its own lints: write [lints] workspace = true"));
        }
        for (name, said) in member.dependencies() {
            if !said.contains("workspace = true") || said.contains("version") || said.contains("path") {
                broken.push(format!(
                    "{path} says where {name} comes from: versions belong in [workspace.dependencies] of the root \
                     Cargo.toml, here write {name}.workspace = true"
                ));
            }
        }
    }
    if root().value("workspace.lints.rust", "unsafe_code") != Some("\"forbid\"") {
        broken.push("unsafe code is possible: write unsafe_code = \"forbid\" in [workspace.lints.rust]".to_owned());
    }
    verdict(broken);
}

#[test]
fn every_listed_dependency_is_used() {
    let (root, members) = (root(), members());
    let used: Vec<_> = members
        .iter()
        .chain([&root])
        .flat_map(|member| member.dependencies().into_iter().map(|(name, _)| name))
        .collect();
    let unused = root.table("workspace.dependencies").filter(|line| !used.contains(&line.key.as_str()));
    verdict(
        unused
            .map(|line| format!("no member uses {}: remove it from [workspace.dependencies]", line.key))
            .collect(),
    );
}

/// The dependencies allowed to functions: everything else comes through the shared crate.
const FUNCTIONS_USE: &[&str] = &[
    "countersign-shared",
    "lambda_runtime",
    "rand",
    "serde",
    "serde_json",
    "utoipa",
];

#[test]
fn functions_depend_only_on_the_shared_crate() {
    let root = root();
    verdict(
        root.table("dependencies")
            .map(|line| line.key.split('.').next().unwrap_or_default())
            .filter(|name| !FUNCTIONS_USE.contains(name))
            .map(|name| {
                format!(
                    "the functions depend on {name}: let a module of shared/ do it, or, if only tests need it, move it \
                     to [dev-dependencies]"
                )
            })
            .collect(),
    );
}

/// Crates that print what libraries log to `tracing` and `log`: the SDK logs whole requests and answers with secrets.
const SUBSCRIBERS: &[&str] = &[
    "android_logger",
    "env_logger",
    "fern",
    "flexi_logger",
    "log4rs",
    "logforth",
    "pretty_env_logger",
    "simple_logger",
    "simplelog",
    "slog",
    "stderrlog",
    "tracing-subscriber",
];

#[test]
fn no_subscriber_prints_the_logs_of_libraries() {
    let lock = read("Cargo.lock").text;
    let packages = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let mut broken: Vec<_> = packages
        .filter(|name| SUBSCRIBERS.contains(name))
        .map(|name| {
            format!(
                "{name} is in Cargo.lock: leave out the dependency or feature that brings it (cargo tree -i {name})"
            )
        })
        .collect();
    let sources = ["functions", "shared/src"].map(|folder| below(folder, &[".rs"]));
    for source in sources.iter().flatten() {
        for word in ["set_logger", "set_boxed_logger", "set_global_default", "set_default"] {
            if source.text.contains(word) {
                broken.push(format!(
                    "{} calls {word}: print the line of a request and nothing that libraries tell",
                    source.path
                ));
            }
        }
    }
    verdict(broken);
}

#[test]
fn one_toolchain() {
    let toolchain = Manifest::read("rust-toolchain.toml");
    let channel = unquoted(toolchain.value("toolchain", "channel").expect("the toolchain is pinned"))[0].to_owned();
    let root = root();
    let least = unquoted(root.value("workspace.package", "rust-version").expect("the workspace has a rust-version"))[0];
    assert!(
        channel.starts_with(&format!("{least}.")),
        "rust-toolchain.toml pins {channel}, Cargo.toml says rust-version {least}: raise both together"
    );
}

/// Without this setting, cargo-lambda builds functions that end their sandbox at a panic, instead of answering 500.
#[test]
fn a_panic_unwinds() {
    assert_eq!(
        root().value("profile.release", "panic"),
        Some("\"unwind\""),
        "write panic = \"unwind\" in [profile.release] of Cargo.toml"
    );
}

#[test]
fn the_licence_is_apache_2_0() {
    assert_eq!(root().value("workspace.package", "license"), Some("\"Apache-2.0\""));
    let licence = read("LICENSE").text;
    for words in [
        "Apache License",
        "Version 2.0, January 2004",
        "END OF TERMS AND CONDITIONS",
    ] {
        assert!(licence.contains(words), "LICENSE has no {words:?}: put the whole text of Apache-2.0 there");
    }
}

#[test]
fn ci_is_one_script() {
    let script = read(".ci/run").text;
    for step in [
        "step cargo fmt --all --check",
        "step cargo clippy --workspace --all-targets",
        "step cargo xtask generate --check",
        "step cargo doc --workspace --no-deps",
        "step cargo test --workspace",
        "step \"$COUNTERSIGN_LOCAL\" rights",
        "step tests/aws/second-engine",
        "step sam validate --lint",
        "step cfn-lint",
        "step bill_of_materials",
        "step cargo deny --log-level error check bans licenses sources",
        "step .ci/reproducibly cargo lambda build --quiet --release --locked --x86-64",
        "step .ci/reproducibly cargo lambda build --quiet --release --locked --arm64",
        "step .ci/reproducibly sam build",
        "step tests/aws/rie",
    ] {
        assert!(script.contains(step), ".ci/run has no `{step}`: put it back");
    }
    let mut broken = Vec::new();
    for workflow in below(".github/workflows", &[".yml"]) {
        let path = &workflow.path;
        if !workflow.text.contains("permissions:") {
            broken.push(format!("{path} takes every permission: say which, such as permissions: {{ contents: read }}"));
        }
        for line in workflow.text.lines().filter_map(|line| line.split_once("uses:")) {
            let version = line.1.split_whitespace().next().unwrap_or_default();
            let commit = version.split_once('@').map_or("", |(_, commit)| commit);
            if commit.len() != 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                broken
                    .push(format!("{path} uses {version}: pin the action to a commit, with its version as a comment"));
            }
        }
    }
    if !read(".github/workflows/ci.yml").text.contains(".ci/run") {
        broken.push(".github/workflows/ci.yml does something else than .ci/run: let it run that script".to_owned());
    }
    verdict(broken);
}
