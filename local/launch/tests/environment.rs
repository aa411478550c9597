//! The environment that `cargo local` passes to the cargo it runs.
#![cfg(unix)]

use std::process::Command;

/// A change of one of these variables reruns build scripts: each `cargo local` after a `cargo test` would recompile
/// ring and its dependents, and the next `cargo test` once more.
#[test]
fn cargo_gets_no_variable_that_describes_a_package() {
    let output = Command::new(env!("CARGO_BIN_EXE_countersign-launch"))
        .env("CARGO", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/print-environment"))
        .env("CARGO_MANIFEST_DIR", "/launch")
        .env("CARGO_MANIFEST_PATH", "/launch/Cargo.toml")
        .env("CARGO_PKG_NAME", "countersign-launch")
        .env("RUSTFLAGS_OF_THE_CALLER", "kept")
        .output()
        .expect("the launcher runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    let names: Vec<_> = printed.lines().filter_map(|line| line.split('=').next()).collect();
    assert!(names.contains(&"RUSTFLAGS_OF_THE_CALLER"), "{names:?}");
    let described = names.iter().any(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
    assert!(!described, "{names:?}");
}
