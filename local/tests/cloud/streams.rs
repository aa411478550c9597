//! Streams of new rows: filters, retries, dead letters, and the wait until everything is delivered.

use std::path::Path;

use countersign_local::Options;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::elsewhere::Other;
use crate::support::{Folder, Local, binaries, send};

fn options() -> Options {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud/streams.yaml");
    Options::new(template, binaries())
}

async fn write(local: &Local, query: &str) {
    let got = send(local.get(&format!("/write?mode=put&{query}"))).await;
    assert_eq!(got.status(), StatusCode::CREATED, "{query}");
}

async fn deliver(local: &Local) {
    let got = send(local.post("/_local/streams/deliver", &json!({}))).await;
    assert_eq!(got.status(), StatusCode::NO_CONTENT);
}

async fn inject(local: &Local, rule: Value) {
    let got = send(local.post("/_local/faults", &rule)).await;
    assert_eq!(got.status(), StatusCode::NO_CONTENT, "{rule}");
}

/// The lines of the reader that contain a text, without its name.
fn read(local: &Local, part: &str) -> Vec<String> {
    let lines = local.cloud.logs().into_iter();
    let lines = lines.filter_map(|line| line.strip_prefix("ReaderFunction | ").map(str::to_owned));
    lines.filter(|line| line.contains(part)).collect()
}

/// What a reader gets of the rows of two types, rewritten rows, and rows of none.
async fn only_wanted_insertions_are_delivered(local: &Local) {
    for query in [
        "id=a&type=one",
        "id=b&notice=two",
        "id=c",
        "id=a&type=other",
        "id=d&type=one&notice=two",
    ] {
        write(local, query).await;
    }
    deliver(local).await;
    let inserted = ["a", "b", "d"].map(|id| format!("record INSERT {id} by somebody"));
    assert_eq!(read(local, "record "), inserted);
    let images: Vec<Value> = read(local, "new image of ")
        .iter()
        .map(|line| serde_json::from_str(line.split_once(": ").expect("an image").1).expect("JSON"))
        .collect();
    let text = |text: &str| json!({ "S": text });
    let expected = [
        json!({ "id": text("a"), "type": text("one") }),
        json!({ "id": text("b"), "notice": text("two") }),
        json!({ "id": text("d"), "type": text("one"), "notice": text("two") }),
    ];
    assert_eq!(images, expected);
    assert_eq!(local.json("/_local/dead-letters").await, json!([]));
}

#[tokio::test]
async fn new_rows_are_delivered_with_their_image() {
    only_wanted_insertions_are_delivered(&Local::start_with(options()).await).await;
}

#[tokio::test]
async fn new_rows_on_another_server_are_delivered_with_their_image() {
    let folder = Folder::new();
    let other = Other::start(&folder).await;
    let local = other.used(options()).await;
    only_wanted_insertions_are_delivered(&local).await;
    // Nothing that a sweep forgets is delivered again, and nothing new is lost.
    local.posted("/_local/sweep", &json!({})).await;
    write(&local, "id=e&type=one").await;
    deliver(&local).await;
    assert_eq!(read(&local, "record ").len(), 4);
}

#[tokio::test]
async fn new_rows_of_a_database_on_disk_are_delivered_once() {
    let data = Folder::new();
    let with_data = || Options {
        data: Some(data.0.clone()),
        ..options()
    };
    let local = Local::start_with(with_data()).await;
    only_wanted_insertions_are_delivered(&local).await;
    local.posted("/_local/sweep", &json!({})).await;
    local.cloud.stop().await;
    let local = Local::start_with(with_data()).await;
    write(&local, "id=e&type=one").await;
    deliver(&local).await;
    assert_eq!(read(&local, "record "), ["record INSERT e by somebody"]);
}

#[tokio::test]
async fn a_batch_that_fails_is_delivered_again_after_an_error_and_after_a_kill() {
    let local = Local::start_with(options()).await;
    for kind in ["error", "kill_before", "kill_after"] {
        inject(&local, json!({ "service": "dynamodb", "function": "ReaderFunction", "kind": kind })).await;
        write(&local, &format!("id=copy {kind}&type=one")).await;
        deliver(&local).await;
        let delivered = read(&local, &format!("record INSERT copy {kind} by"));
        assert_eq!(delivered.len(), 2, "{kind}");
    }
    let rows = local.json("/_local/tables/EventsTable").await;
    assert_eq!(rows.as_array().map(Vec::len), Some(6), "each row has its copy: {rows}");
    assert_eq!(local.json("/_local/dead-letters").await, json!([]));
}

#[tokio::test]
async fn a_record_that_always_fails_is_a_dead_letter() {
    let local = Local::start_with(options()).await;
    for id in ["a", "poison", "b"] {
        write(&local, &format!("id={id}&type=one")).await;
    }
    deliver(&local).await;
    assert!(!read(&local, "INSERT b by").is_empty(), "what follows it is delivered");
    let letters = local.json("/_local/dead-letters").await;
    let [letter] = letters.as_array().expect("a list").as_slice() else {
        panic!("not one but {letters}")
    };
    assert_eq!(letter["function"], "ReaderFunction");
    assert_eq!(letter["destination"], "arn:aws:sqs:us-east-1:123456789012:countersign-Letters");
    let records = letter["records"].as_array().expect("a list");
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["dynamodb"]["NewImage"]["id"]["S"], "poison");
    let (request, batch) = (&letter["message"]["requestContext"], &letter["message"]["DDBStreamBatchInfo"]);
    assert_eq!(request["condition"], "RetryAttemptsExhausted");
    assert_eq!(request["approximateInvokeCount"], 4, "three retries are in the template");
    assert_eq!(batch["batchSize"], 1);
    assert_eq!(batch["startSequenceNumber"], records[0]["dynamodb"]["SequenceNumber"]);
    assert_eq!(send(local.delete("/_local/dead-letters")).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(local.json("/_local/dead-letters").await, json!([]));
}
