//! `--data`: everything is there again after a restart.

use countersign_local::Cloud;
use serde_json::json;

use crate::support::{Folder, Local, fixture_options, read, send};

#[tokio::test]
async fn a_restart_finds_rows_secrets_identities_and_the_clock() {
    let folder = Folder::new();
    let mut options = fixture_options();
    options.data = Some(folder.0.join("data"));
    let local = Local::start_with(options.clone()).await;
    let expires = epoch(&local).await + 100;
    send(local.get(&format!("/things/1?mode=put&id=kept&expires={expires}"))).await;
    local
        .posted("/_local/clock", &json!({ "advance_seconds": 1_000_000 }))
        .await;
    let identities = local.json("/_local/identities").await;
    let before = epoch(&local).await;
    let taken = Cloud::start(options.clone())
        .await
        .err()
        .expect("one cloud at a time")
        .to_string();
    assert!(
        taken.starts_with("another local cloud uses the data directory"),
        "{taken}"
    );
    local.cloud.stop().await;

    let local = Local::start_with(options.clone()).await;
    assert_eq!(local.json("/_local/identities").await, identities);
    assert!(
        (before..before + 60).contains(&epoch(&local).await),
        "the clock stays ahead"
    );
    let rows = local.json("/_local/tables/ThingsTable").await;
    assert_eq!(rows[0]["id"]["S"], "kept");
    assert_eq!(
        local.posted("/_local/sweep", &json!({})).await,
        json!({ "deleted": 1 }),
        "by the clock that is ahead"
    );
    local.logged("record REMOVE kept by dynamodb.amazonaws.com").await;
    local.cloud.stop().await;

    let local = Local::start_with(options).await;
    assert_eq!(local.posted("/_local/sweep", &json!({})).await, json!({ "deleted": 0 }));
    assert!(
        !local.cloud.logs().iter().any(|line| line.contains("record")),
        "a record is delivered once"
    );
    local.cloud.stop().await;

    let data = folder.0.join("data");
    assert_eq!(
        std::fs::read_to_string(data.join(".gitignore")).expect("written"),
        "*\n"
    );
    #[cfg(unix)]
    for (path, mode) in [(data.clone(), 0o700), (data.join("state.json"), 0o600)] {
        use std::os::unix::fs::PermissionsExt as _;
        let found = std::fs::metadata(&path).expect("written").permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }
}

async fn epoch(local: &Local) -> u64 {
    let event = read(send(local.get("/things/1")).await).await;
    event["requestContext"]["timeEpoch"].as_u64().expect("a number") / 1000
}
