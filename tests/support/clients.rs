//! Official clients of other people, which run against a world.

use std::{io::Write, process::Command};

use crate::support::world::{World, in_ci, root};

/// The exit code of a script without its client.
const SKIPPED: i32 = 77;

impl World {
    /// Runs a script of `tests/clients/` against this world. Without its interpreter or its client it is skipped, but not
    /// in CI.
    pub async fn with_a_client(&self, interpreter: &str, script: &str) {
        let mut command = Command::new(interpreter);
        command
            .arg(root().join("tests/clients").join(script))
            .arg(self.url())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
        let (code, said) = match output {
            Ok(output) => {
                let streams = [output.stdout, output.stderr];
                (output.status.code(), streams.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat())
            }
            Err(error) => (Some(SKIPPED), format!("{interpreter}: {error}")),
        };
        if code == Some(SKIPPED) && !in_ci() {
            // Bypasses the test's output capture: a skip must be visible.
            let _ = writeln!(std::io::stderr(), "\n*** SKIPPED: {script} tried NOTHING: {said}");
            return;
        }
        let failed: Vec<&str> = said.lines().filter(|line| !line.starts_with("ok ")).collect();
        assert_eq!(code, Some(0), "{}", failed.join("\n"));
    }
}
