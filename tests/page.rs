//! The page of the local cloud, in a real browser: `tests/browser/local_page.py`.

use std::process::Command;

use crate::world::{World, root};

/// What the script exits with where there is no browser to try it in.
const SKIPPED: i32 = 77;

#[tokio::test(flavor = "multi_thread")]
async fn the_local_page_works_in_a_browser() {
    let world = World::new().await;
    let url = world.url().to_owned();
    let script = root().join("tests/browser/local_page.py");
    let run = move || Command::new("python3").arg(script).arg(url).output();
    let output = tokio::task::spawn_blocking(run)
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
        let _ = writeln!(std::io::stderr(), "\n*** SKIPPED: the local page was NOT tried: {said}");
        return;
    }
    assert!(output.status.success(), "{said}");
}
