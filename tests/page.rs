//! Pages in a real browser: the scripts under `tests/browser/`, and the local cloud's own page.

use std::process::Command;

use crate::world::{World, root};

/// What a script exits with where there is no browser to try a page in.
const SKIPPED: i32 = 77;

impl World {
    /// Runs a script of `tests/browser/` against this world; `false` where there is no browser.
    pub async fn in_a_browser(&self, script: &str, arguments: &[&str]) -> bool {
        let mut command = Command::new("python3");
        command
            .arg(root().join("tests/browser").join(script))
            .arg(self.url())
            .args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .expect("no panic")
            .expect("python3 runs");
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        // Past the capture of the test's output: a skip must be seen.
        if output.status.code() == Some(SKIPPED) {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "\n*** SKIPPED: {script} tried NOTHING: {said}");
            return false;
        }
        assert!(output.status.success(), "{said}");
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_page_works_in_a_browser() {
    World::new().await.in_a_browser("local_page.py", &[]).await;
}
