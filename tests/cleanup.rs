//! Stream records of rows that the DynamoDB TTL has removed (security.md R68, R69). Their format is that of the
//! DynamoDB Developer Guide, "Time to Live and DynamoDB Streams".

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::world::World;

/// The removal of an expired row: the `n`th record of its stream.
async fn removal(world: &World, n: u64) -> Value {
    let mut record: Value = serde_json::from_str(include_str!("fixtures/stream-ttl-removal.json")).expect("JSON");
    record["eventID"] = format!("{n:032x}").into();
    record["dynamodb"]["SequenceNumber"] = sequence(n).into();
    record["dynamodb"]["Keys"]["user_id"]["S"] = format!("00000000-0000-4000-8000-{n:012}").into();
    record["dynamodb"]["ApproximateCreationDateTime"] = world.now().await.into();
    record
}

fn sequence(n: u64) -> String {
    (10_u128.pow(24) + u128::from(n)).to_string()
}

fn with(record: &Value, pointer: &str, value: Value) -> Value {
    let mut record = record.clone();
    *record.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
    record
}

impl World {
    /// The sequence numbers of the records that the function reports as failed.
    async fn clean_up(&self, records: &[Value]) -> Vec<String> {
        self.invoke_with_records("cleanup", records).await
    }
}

#[tokio::test]
async fn a_removal_is_one_event_and_one_metric() {
    let world = World::new().await;
    let record = removal(&world, 1).await;
    let at = record["dynamodb"]["ApproximateCreationDateTime"].as_u64().expect("seconds");
    assert!(world.clean_up(&[record]).await.is_empty());

    let [row] = world.audit_rows().await.try_into().expect("one row");
    let bytes = |name: &str| STANDARD.decode(row[name]["B"].as_str().expect("B")).expect("base64");
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!((bytes("id").len(), bytes("attempt").len()), (32, 16));
    let subject = row["subject"]["S"].as_str().expect("a text");
    assert!(subject.starts_with("SupportPins:") && subject.len() == 76, "{subject}");
    let time = time::OffsetDateTime::from_unix_timestamp(at.try_into().expect("fits")).expect("a time");
    let time = time.format(&time::format_description::well_known::Rfc3339).expect("a time");
    let event = format!("{time} {}", &hex(bytes("id"))[..32]);
    let expected = json!({
        "id": row["id"], "subject": row["subject"], "event": { "S": event }, "attempt": row["attempt"],
        "what": { "S": "expired" },
        "at": { "N": at.to_string() }, "ttl": { "N": (at + 365 * 86_400).to_string() },
    });
    assert_eq!(row, expected);

    let [line] = world.metrics("cleanup", "Expired").try_into().expect("one line");
    let expected = json!({
        "at": line["at"], "request_id": line["request_id"], "level": "info", "outcome": "expired",
        "event": event, "subject": subject, "Table": "SupportPins", "Expired": 1,
        "_aws": {
            "Timestamp": at * 1000,
            "CloudWatchMetrics": [{
                "Namespace": "Countersign/countersign", "Dimensions": [[], ["Table"]],
                "Metrics": [{ "Name": "Expired", "Unit": "Count" }],
            }],
        },
    });
    assert_eq!(line, expected);
}

#[tokio::test]
async fn repeated_removals_in_any_order_are_recorded_once() {
    let world = World::new().await;
    let (a, b, c) = (removal(&world, 1).await, removal(&world, 2).await, removal(&world, 3).await);
    // Three rows, and one of them again under the same key: another record.
    let again = with(&with(&a, "/eventID", "f".repeat(32).into()), "/dynamodb/SequenceNumber", sequence(9).into());
    // Each for another row, so that deduplication is not what keeps it out of the log.
    let mut others = Vec::new();
    for (n, (pointer, value)) in (20..).zip([
        ("/eventName", "INSERT".into()),
        ("/eventName", "MODIFY".into()),
        ("/userIdentity", Value::Null),
        ("/userIdentity", json!({})),
        ("/userIdentity/type", "AssumedRole".into()),
        ("/userIdentity/principalId", "lambda.amazonaws.com".into()),
        ("/userIdentity/principalId", json!(["dynamodb.amazonaws.com"])),
    ]) {
        others.push(with(&removal(&world, n).await, pointer, value));
    }
    // A user's delete has no identity at all.
    let mut by_hand = removal(&world, 40).await;
    by_hand.as_object_mut().expect("a record").remove("userIdentity");
    others.push(by_hand);

    let batch = [
        a.clone(),
        others[0].clone(),
        b.clone(),
        others[7].clone(),
        c.clone(),
        again.clone(),
    ];
    for _ in 0..3 {
        assert!(world.clean_up(&batch).await.is_empty());
    }
    let shuffled = [again, c.clone(), a.clone(), a, b, c];
    assert!(world.clean_up(&shuffled).await.is_empty());
    assert!(world.clean_up(&others).await.is_empty());
    assert!(world.clean_up(&[]).await.is_empty());
    assert_eq!(world.audit_rows().await.len(), 4);
    assert_eq!(world.metrics("cleanup", "Expired").len(), 4);
}

#[tokio::test]
async fn parallel_batches_record_each_removal_once() {
    let world = World::new().await;
    let mut batch = Vec::new();
    for n in 0..10 {
        batch.push(removal(&world, n).await);
    }
    let all = futures_util::future::join_all((0..6).map(|_| world.clean_up(&batch))).await;
    assert!(all.iter().all(Vec::is_empty), "{all:?}");
    assert_eq!(world.audit_rows().await.len(), 10);
    assert_eq!(world.metrics("cleanup", "Expired").len(), 10);
}

#[tokio::test]
async fn a_malformed_record_fails_alone() {
    let world = World::new().await;
    let good = removal(&world, 1).await;
    let mut n = 10;
    for (pointer, value) in [
        ("/eventName", json!("DROP")),
        ("/eventName", json!(null)),
        ("/eventSource", json!("aws:s3")),
        ("/eventSourceARN", json!("")),
        ("/eventSourceARN", json!("arn:aws:dynamodb:us-east-1:1:table//stream/x")),
        ("/eventSourceARN", json!({ "a": 1 })),
        ("/eventID", json!("")),
        ("/eventID", json!(7)),
        ("/dynamodb/Keys", json!({})),
        ("/dynamodb/Keys", json!("user_id")),
        ("/dynamodb/ApproximateCreationDateTime", json!("yesterday")),
        ("/dynamodb/ApproximateCreationDateTime", json!(-1)),
        ("/dynamodb/ApproximateCreationDateTime", json!(1e300)),
    ] {
        n += 3;
        let batch = [
            removal(&world, n).await,
            with(&removal(&world, n + 1).await, pointer, value.clone()),
            removal(&world, n + 2).await,
        ];
        let before = world.metrics("cleanup", "Expired").len();
        for _ in 0..2 {
            assert_eq!(world.clean_up(&batch).await, [sequence(n + 1)], "{pointer} {value}");
            // The record before it is not logged again, the one after it does not wait.
            assert_eq!(world.metrics("cleanup", "Expired").len(), before + 2, "{pointer} {value}");
        }
    }
    // Without a valid sequence number the record cannot be named: the whole batch fails, and is split.
    for number in [json!(null), json!(5), json!("")] {
        let batch = [good.clone(), with(&good, "/dynamodb/SequenceNumber", number)];
        assert_eq!(world.clean_up(&batch).await, [""]);
    }
    for record in [json!(null), json!("record"), json!([]), json!({})] {
        assert_eq!(world.clean_up(&[record]).await, [""]);
    }
    // This is not a batch: Lambda treats a failed invocation as a failed batch.
    for event in [json!({}), json!([]), json!({ "Records": "many" })] {
        let answer = world.post("/2015-03-31/functions/cleanup/invocations").json(&event).send_local().await;
        assert!(answer["errorMessage"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn no_removal_is_lost_or_recorded_twice_while_the_store_fails() {
    let world = World::new().await;
    let mut batch = Vec::new();
    for n in 0..4 {
        batch.push(removal(&world, n).await);
    }
    for kind in ["error", "throttle", "conflict"] {
        world
            .inject(json!({ "service": "dynamodb", "operation": "PutItem", "kind": kind, "skip": 2, "times": 99 }))
            .await;
        assert_eq!(world.clean_up(&batch).await, [sequence(2), sequence(3)], "{kind}");
        world.clear_faults().await;
        assert_eq!(world.metrics("cleanup", "Expired").len(), 2, "{kind}");
    }
    // The row is written and the answer lost: the SDK's retry finds its own row.
    world
        .inject(
            json!({ "service": "dynamodb", "operation": "PutItem", "kind": "drop_response", "skip": 2, "times": 1 }),
        )
        .await;
    assert!(world.clean_up(&batch).await.is_empty());
    assert_eq!(world.audit_rows().await.len(), 4);
    assert_eq!(world.metrics("cleanup", "Expired").len(), 4);
}

#[tokio::test]
async fn a_late_removal_does_not_affect_a_successor() {
    let world = World::new().await;
    let pin = world.post("/api/v4/user/support_pin").private_token(world.user()).send().await;
    pin.ok(201);
    let rows = world.rows("SupportPinsTable").await;
    let mut record = removal(&world, 1).await;
    record["dynamodb"]["Keys"]["user_id"] = rows[0]["user_id"].clone();
    record["eventSourceARN"] =
        "arn:aws:dynamodb:us-east-1:123456789012:table/countersign-SupportPinsTable/stream/local".into();
    world.invocations().await;
    assert!(world.clean_up(&[record]).await.is_empty());
    let [invocation] = world.invocations().await.try_into().expect("one invocation");
    assert_eq!(
        invocation["calls"],
        json!([{
            "service": "dynamodb", "operation": "PutItem", "table": "countersign-AuditTable",
            "units": { "read": 0.0, "write": 1.0 },
        }])
    );
    assert_eq!(world.rows("SupportPinsTable").await, rows);
    world.get("/api/v4/user/support_pin").private_token(world.user()).send().await.is(200, &pin.body);
}

#[tokio::test]
async fn expired_rows_are_absent_swept_and_recorded_once() {
    let world = World::new().await;
    let own = "/api/v4/user/support_pin";
    world.post(own).private_token(world.user()).send().await.ok(201);
    world.advance(86_400).await;
    let before = world.get(own).private_token(world.user()).send().await;
    let swept = world.sweep().await;
    assert_eq!(swept, json!({ "deleted": 1 }));
    let after = world.get(own).private_token(world.user()).send().await;
    assert_eq!((after.status, after.body), (before.status, before.body));

    let expired_metrics = |world: &World| world.metrics("cleanup", "Expired");
    assert_eq!(expired_metrics(&world).len(), 1);
    assert_eq!(expired_metrics(&world)[0]["Table"], "SupportPins");
    let expired = async || {
        let rows = world.rows("AuditTable").await;
        rows.iter().filter(|row| row["what"]["S"] == "expired").count()
    };
    assert_eq!(expired().await, 1);

    // A user's own delete and a replaced row are in the stream too, but are not TTL removals.
    world.post(own).private_token(world.user()).send().await.ok(201);
    assert_eq!(world.sweep().await, json!({ "deleted": 0 }));
    assert_eq!((expired_metrics(&world).len(), expired().await), (1, 1));
}
