//! The clock and what depends on it: events, TTL, streams, schedules.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Local, eventually, read, send};

#[tokio::test]
async fn the_clock_advances_and_events_carry_its_time() {
    let local = Local::start().await;
    let epoch = async || {
        read(send(local.get("/things/1")).await).await["requestContext"]["timeEpoch"]
            .as_u64()
            .expect("a number")
    };
    let before = epoch().await;
    let moved = local.posted("/_local/clock", &json!({ "advance_seconds": 86_400 })).await;
    let now = moved["now"].as_str().expect("a time");
    assert!(now.len() == 20 && now.ends_with('Z'), "{now}");
    let after = epoch().await;
    assert!((86_400_000..86_410_000).contains(&(after - before)), "{before} to {after}");
    assert!(local.json("/_local/clock").await["now"].as_str() >= Some(now));
    for body in [
        json!({}),
        json!({ "advance_seconds": -1 }),
        json!({ "advance_seconds": "1" }),
        json!({ "advance_seconds": u64::MAX }),
    ] {
        let response = send(local.post("/_local/clock", &body)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
        assert!(read(response).await["error"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn a_sweep_deletes_expired_rows_and_streams_their_removal() {
    let local = Local::start().await;
    let now = epoch_seconds(&local).await;
    for (id, expires) in [("soon", now + 100), ("later", now + 10_000)] {
        send(local.get(&format!("/things/1?mode=put&id={id}&expires={expires}"))).await;
    }
    assert_eq!(local.posted("/_local/sweep", &json!({})).await, json!({ "deleted": 0 }));
    local.posted("/_local/clock", &json!({ "advance_seconds": 200 })).await;
    assert_eq!(
        local.json("/_local/tables/ThingsTable").await.as_array().map(Vec::len),
        Some(2),
        "expired rows stay until a sweep"
    );
    assert_eq!(local.posted("/_local/sweep", &json!({})).await, json!({ "deleted": 1 }));
    let rows = local.json("/_local/tables/ThingsTable").await;
    assert_eq!(rows, json!([{ "id": { "S": "later" }, "expires_at": { "N": (now + 10_000).to_string() } }]));
    local.logged("StreamFunction | record REMOVE soon by dynamodb.amazonaws.com").await;
    let records = local.cloud.logs().iter().filter(|line| line.contains("| record ")).count();
    assert_eq!(records, 1, "the filter keeps insertions out");
}

#[tokio::test]
async fn a_failing_record_is_dropped_alone_and_logged() {
    let local = Local::start().await;
    let ids = ["a", "poison", "b", "c"];
    for id in ids {
        send(local.get(&format!("/things/1?mode=put&id={id}&expires=1"))).await;
    }
    assert_eq!(local.posted("/_local/sweep", &json!({})).await, json!({ "deleted": 4 }));
    for id in ids {
        local.logged(&format!("record REMOVE {id} by")).await;
    }
    local.logged("StreamFunction | a batch of 1 from").await;
    local.logged("was dropped after 2 retries, and countersign-Letters gets a record of it").await;
    let tries = local.cloud.logs().iter().filter(|line| line.contains("REMOVE poison")).count();
    assert!(tries >= 3, "two retries are in the template, and {tries} tries in the log");
    assert_eq!(local.posted("/_local/sweep", &json!({})).await, json!({ "deleted": 0 }));
    let again = local.cloud.logs().iter().filter(|line| line.contains("REMOVE poison")).count();
    assert_eq!(again, tries, "what was dropped stays dropped");
}

#[tokio::test]
async fn a_schedule_follows_the_clock() {
    let local = Local::start().await;
    local.posted("/_local/clock", &json!({ "advance_seconds": 3600 })).await;
    local.logged("TimerFunction | scheduled at").await;
    eventually("the invocation", async || {
        let listed = local.json("/_local/invocations").await;
        listed
            .as_array()
            .expect("a list")
            .iter()
            .any(|one| one["function"] == "TimerFunction" && one["route"].is_null())
    })
    .await;
}

async fn epoch_seconds(local: &Local) -> u64 {
    let event = read(send(local.get("/things/1")).await).await;
    event["requestContext"]["timeEpoch"].as_u64().expect("a number") / 1000
}
