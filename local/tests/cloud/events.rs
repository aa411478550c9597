//! EventBridge: captured events, refused entries, rights and faults.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Local, fault, fixture_options, read, send};

/// Puts entries on their buses, from outside the functions.
async fn put(local: &Local, entries: Value) -> (StatusCode, Value) {
    let request = local.http.post(local.cloud.endpoint("events")).header("x-amz-target", "AWSEvents.PutEvents");
    let got = send(request.body(json!({ "Entries": entries }).to_string())).await;
    assert_eq!(got.headers()["content-type"], "application/x-amz-json-1.1");
    (got.status(), read(got).await)
}

fn entry(more: Value) -> Value {
    let mut entry = json!({ "Source": "fixture", "DetailType": "Thing Made", "Detail": "{\"id\":1}" });
    for (name, value) in more.as_object().expect("an object") {
        entry[name] = value.clone();
    }
    entry
}

#[tokio::test]
async fn events_are_captured_and_cleared() {
    let local = Local::start().await;
    assert_eq!(local.json("/_local/events").await, json!([]));
    let arn = "arn:aws:events:us-east-1:123456789012:event-bus/things";
    let entries = json!([
        entry(json!({})),
        entry(json!({ "EventBusName": "things", "Resources": ["a", "b"], "Time": 1_583_348_638 })),
        entry(json!({ "EventBusName": arn, "Time": 1_583_348_638.75 })),
    ]);
    let (status, answer) = put(&local, entries).await;
    assert_eq!((status, &answer["FailedEntryCount"]), (StatusCode::OK, &json!(0)));
    let mut events = local.json("/_local/events").await;
    for (n, event) in events.as_array_mut().expect("a list").iter_mut().enumerate() {
        assert_eq!(event["id"].take(), answer["Entries"][n]["EventId"]);
        let at = event["at"].take();
        assert_eq!(at.as_str().map(str::len), Some("2020-03-04T19:03:58Z".len()));
        if n == 0 {
            assert_eq!(event["time"].take(), at);
        }
    }
    let event = |bus: &str, resources: Value, time: Value| {
        json!({
            "id": null, "bus": bus, "source": "fixture", "detail-type": "Thing Made", "detail": { "id": 1 },
            "resources": resources, "time": time, "at": null,
        })
    };
    let time = json!("2020-03-04T19:03:58Z");
    let expected = json!([
        event("default", json!([]), Value::Null),
        event("things", json!(["a", "b"]), time.clone()),
        event("things", json!([]), time),
    ]);
    assert_eq!(events, expected);
    assert_eq!(send(local.delete("/_local/events")).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(local.json("/_local/events").await, json!([]));
}

#[tokio::test]
async fn an_entry_that_eventbridge_refuses_does_not_stop_the_others() {
    let local = Local::start().await;
    for (wrong, code) in [
        (json!({ "Source": null }), "InvalidArgument"),
        (json!({ "Source": "" }), "InvalidArgument"),
        (json!({ "Source": "aws.ec2" }), "NotAuthorizedForSourceException"),
        (json!({ "DetailType": null }), "InvalidArgument"),
        (json!({ "Detail": null }), "InvalidArgument"),
        (json!({ "Detail": "{" }), "MalformedDetail"),
        (json!({ "Detail": "1" }), "MalformedDetail"),
    ] {
        send(local.delete("/_local/events")).await;
        let (status, answer) = put(&local, json!([entry(wrong.clone()), entry(json!({}))])).await;
        assert_eq!((status, &answer["FailedEntryCount"]), (StatusCode::OK, &json!(1)), "{wrong}");
        assert_eq!(answer["Entries"][0]["ErrorCode"], code, "{wrong}");
        assert!(answer["Entries"][1]["EventId"].is_string(), "{wrong}");
        assert_eq!(local.json("/_local/events").await.as_array().map(Vec::len), Some(1), "{wrong}");
    }
    send(local.delete("/_local/events")).await;
    let long = entry(json!({ "Detail": json!({ "long": "x".repeat(256 * 1024) }).to_string() }));
    let eleven = vec![entry(json!({})); 11];
    for (entries, code) in [
        (json!([]), "ValidationException"),
        (json!(eleven), "ValidationException"),
        (json!([long]), "ValidationException"),
        (json!("text"), "SerializationException"),
    ] {
        let (status, answer) = put(&local, entries).await;
        assert_eq!((status, &answer["__type"]), (StatusCode::BAD_REQUEST, &json!(code)));
    }
    assert_eq!(local.json("/_local/events").await, json!([]));
}

#[tokio::test]
async fn a_function_puts_events_on_the_bus_that_its_role_allows() {
    let local = Local::start_with(fixture_options()).await;
    for (bus, code, events) in [
        ("things", "", 1),
        ("arn:aws:events:us-east-1:123456789012:event-bus/things", "", 2),
        ("others", "AccessDeniedException", 2),
    ] {
        let path = "/2015-03-31/functions/EchoFunction/invocations";
        let got = local.posted(path, &json!({ "mode": "aws", "call": "event", "of": bus })).await;
        assert_eq!(got["code"], code, "{bus}");
        assert_eq!(local.json("/_local/events").await.as_array().map(Vec::len), Some(events), "{bus}");
    }
    let made = local.json("/_local/invocations").await;
    let call = json!({
        "service": "events", "operation": "PutEvents", "table": null, "units": { "read": 0.0, "write": 0.0 },
    });
    assert_eq!(made[0]["calls"], json!([call]));
}

#[tokio::test]
async fn eventbridge_has_faults() {
    let local = Local::start().await;
    for (kind, status, name) in [
        ("error", StatusCode::INTERNAL_SERVER_ERROR, "InternalException"),
        ("throttle", StatusCode::BAD_REQUEST, "ThrottlingException"),
    ] {
        fault(&local, "events", json!("PutEvents"), kind, 0, 1).await;
        let (got, answer) = put(&local, json!([entry(json!({}))])).await;
        assert_eq!((got, &answer["__type"]), (status, &json!(name)));
    }
    fault(&local, "events", Value::Null, "rejected", 0, 1).await;
    let (status, answer) = put(&local, json!([entry(json!({})), entry(json!({}))])).await;
    assert_eq!((status, &answer["FailedEntryCount"]), (StatusCode::OK, &json!(2)));
    assert_eq!(answer["Entries"][1]["ErrorCode"], "InternalFailure");
    assert_eq!(local.json("/_local/events").await, json!([]));
    assert_eq!(put(&local, json!([entry(json!({}))])).await.1["FailedEntryCount"], 0);
}
