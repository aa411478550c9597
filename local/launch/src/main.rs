//! `cargo local`: builds the workspace with cargo's own progress, then becomes the local cloud beside this program.
//!
//! A program without dependencies, so it compiles in a second. The whole workspace is then built as `cargo test
//! --workspace` builds it, so nothing is compiled twice.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let own = env::current_exe().map_err(|error| format!("cannot tell where this program is: {error}"))?;
    let mut build = Command::new(&cargo);
    build
        .args(["build", "--workspace", "--exclude", "countersign-xtask", "--bins"])
        .arg("--manifest-path")
        .arg(&manifest);
    // `cargo run` describes this package in the environment. Build scripts that watch these variables (ring's does)
    // would run again, and all dependents would be recompiled, here and by the next `cargo test`.
    for (name, _) in env::vars_os().filter(|(name, _)| describes_a_package(name)) {
        build.env_remove(name);
    }
    let built = build.status().map_err(|error| format!("cannot run {}: {error}", cargo.display()))?;
    if !built.success() {
        // Cargo has printed the reason.
        return Ok(ExitCode::FAILURE);
    }
    let cloud = own.with_file_name(format!("countersign-local{}", env::consts::EXE_SUFFIX));
    let mut command = Command::new(&cloud);
    command.args(env::args_os().skip(1));
    become_it(command).map_err(|error| format!("cannot run {}: {error}", cloud.display()))
}

/// Whether `cargo run` sets this variable for the program it runs.
fn describes_a_package(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name == "CARGO_MANIFEST_DIR" || name == "CARGO_MANIFEST_PATH" || name.starts_with("CARGO_PKG_")
}

/// Replaces this process, so that signals reach the cloud directly.
#[cfg(unix)]
fn become_it(mut command: Command) -> io::Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec())
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> io::Result<ExitCode> {
    let status = command.status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
