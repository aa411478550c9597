//! Derives from the code what would otherwise be written twice: the functions, roles, log groups, rate limits, tables
//! and numeric parameters of template.yaml, the bins of Cargo.toml, the tables of routes, settings and event types in the
//! documents, `events/*.json`, and the schemas in `docs/events/`. The output is checked in, so that readers and AWS's own tools see whole files.
//!
//! The sources: the first lines of each `functions/*/main.rs` (what invokes the function), the fields of its handler's
//! struct (its permissions), the `Row` and `Kept` implementations (tables and keys), the constants of type `Setting`,
//! the outcomes that are published, and `functions/*/request.http` (an example request).

mod deployment;
mod endpoints;
pub mod events;
mod files;
mod payloads;
pub mod settings;
pub mod source;
mod store;
pub mod template;
mod yaml;

use similar::TextDiff;
use source::root;

/// A file as it should be.
pub struct Generated {
    /// Its path from the repository's root.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

/// Every file that is derived or has a derived part, as it should be.
///
/// # Errors
/// What the code fails to declare, one problem per line.
pub fn generate() -> Result<Vec<Generated>, String> {
    let mut problems = Vec::new();
    let files = files::all(&mut problems);
    problems.sort();
    problems.dedup();
    match problems.as_slice() {
        [] => Ok(files),
        _ => Err(format!("- {}", problems.join("\n- "))),
    }
}

/// Writes the files that have changed, and returns their paths.
///
/// # Errors
/// As [`generate`], and a file that cannot be written.
pub fn write() -> Result<Vec<String>, String> {
    let mut written = Vec::new();
    for file in generate()? {
        if current(&file.path) != file.text {
            std::fs::write(root().join(&file.path), &file.text).map_err(|error| format!("{}: {error}", file.path))?;
            written.push(file.path);
        }
    }
    Ok(written)
}

/// Compares the files with the output.
///
/// # Errors
/// As [`generate`], and the differences as a unified diff.
pub fn check() -> Result<(), String> {
    let mut diffs = String::new();
    for file in generate()? {
        let current = current(&file.path);
        if current != file.text {
            let diff = TextDiff::from_lines(&current, &file.text);
            let names = (format!("a/{}", file.path), format!("b/{}", file.path));
            diffs += &diff.unified_diff().header(&names.0, &names.1).to_string();
        }
    }
    match diffs.is_empty() {
        true => Ok(()),
        false => Err(format!("{diffs}\nDerived files are out of date: run `cargo xtask generate`.")),
    }
}

fn current(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}
