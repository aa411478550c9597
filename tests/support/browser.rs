//! Pages in a real browser.

use std::{ffi::OsString, process::Command};

use crate::support::world::{World, root};

/// The exit code of a script without a browser.
const SKIPPED: i32 = 77;

impl World {
    /// Runs a script of `tests/browser/` against this world; `false` without a browser.
    pub async fn in_a_browser(&self, script: &str, arguments: &[&str]) -> bool {
        let arguments = [self.url()].into_iter().chain(arguments.iter().copied());
        in_a_browser(script, arguments.map(OsString::from).collect()).await
    }
}

/// Runs a script of `tests/browser/`; `false` without a browser. One at a time: a browser needs a processor of its own.
pub async fn in_a_browser(script: &str, arguments: Vec<OsString>) -> bool {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = TURN.lock().await;
    let mut command = Command::new("python3");
    command.arg(root().join("tests/browser").join(script)).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("no panic")
        .expect("python3 runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // Bypasses the test's output capture: a skip must be visible.
    if output.status.code() == Some(SKIPPED) {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "\n*** SKIPPED: {script} tried NOTHING: {said}");
        return false;
    }
    let failed: Vec<&str> = said.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(output.status.success(), "{}", failed.join("\n"));
    true
}
