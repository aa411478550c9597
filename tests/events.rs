//! Notices and events of the audit log: what `publish` mails and puts on the event bus (security.md R41, R76;
//! docs/events.md).

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{
    faults::fault_rule,
    messages::suppress,
    passcode::{PURPOSE, USER},
    people::{Person, UNKNOWN_ID},
    support_pin::OWN_PIN,
    verify::ADDRESS,
    world::{World, root},
};

/// The parameter that names the event bus of a world whose events are published.
const BUS: (&str, &str) = ("EventBus", "identity");

/// The parameter of a world without an event bus.
const NO_BUS: (&str, &str) = ("EventBus", "");

/// Where the local cloud shows what was put on the event bus.
const PUBLISHED: &str = "/_local/events";

/// The record of a new password of a user: the `n`th event, with a type and a notice.
async fn record(world: &World, user_id: &str, n: u64) -> Value {
    let at = world.now().await;
    let id: Vec<u8> = n.to_be_bytes().repeat(4);
    json!({
        "eventID": format!("{n:032x}"), "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": at,
            "Keys": { "subject": { "S": format!("user:{user_id}") }, "event": { "S": format!("{n:064x}") } },
            "NewImage": {
                "subject": { "S": format!("user:{user_id}") }, "event": { "S": format!("{n:064x}") },
                "id": { "B": STANDARD.encode(id) }, "what": { "S": "password_changed" },
                "type": { "S": "password.changed" }, "notice": { "S": "password_changed" },
                "at": { "N": at.to_string() }, "ttl": { "N": (at + 365 * 86_400).to_string() },
            },
            "SequenceNumber": sequence(n), "SizeBytes": 300, "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/countersign-AuditTable/stream/2026-11-01T08:00:00.000",
    })
}

/// The sequence number of the `n`th record.
fn sequence(n: u64) -> String {
    (10_u128.pow(24) + u128::from(n)).to_string()
}

/// The record with another value at a place, or without it.
fn with(record: &Value, pointer: &str, value: Option<Value>) -> Value {
    let mut record = record.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = record.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    record
}

/// Invokes `publish` with a batch, and returns the sequence numbers of the records that it reports as failed.
async fn publish(world: &World, records: &[Value]) -> Vec<String> {
    world.invoke_with_records("publish", records).await
}

/// The events on the bus, oldest first: entries with `source`, `detail-type`, `detail`, `time` and `bus`.
async fn published(world: &World) -> Vec<Value> {
    let entries = world.get(PUBLISHED).send_local().await;
    entries.as_array().expect("a list").clone()
}

/// The mails with a notice of a new password to a user.
async fn notices(world: &World, person: &Person) -> usize {
    let mails = world.mails_to(&person.email).await;
    mails
        .iter()
        .filter(|mail| mail["text"].as_str().is_some_and(|text| text.contains("password")))
        .count()
}

/// The schema of the detail of each type.
fn schemas() -> BTreeMap<String, jsonschema::Validator> {
    let files = std::fs::read_dir(root().join("docs/events")).expect("a folder");
    let paths = files.map(|file| file.expect("a file").path());
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a text");
        let schema: Value = serde_json::from_str(&text).expect("JSON");
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        (name, jsonschema::validator_for(&schema).expect("a schema"))
    };
    paths.map(read).collect()
}

#[tokio::test]
async fn each_published_event_fits_the_schema_of_its_type() {
    let world = World::with(&[BUS]).await;
    let demo = world.demo();
    world.post(OWN_PIN).private_token(world.user()).send().await.ok(201);
    world
        .get(&format!("/api/v4/users/{}/support_pin", demo.id))
        .private_token(world.admin())
        .send()
        .await
        .ok(200);
    let issued = world.retrieve(USER, PURPOSE).await;
    world.consume(&issued.token, USER, PURPOSE).send().await.ok(200);
    let issued = world.retrieve(USER, PURPOSE).await;
    world.invalidate(&issued.id).send().await;
    world.log_in(&demo).await;
    world.switch_factor_as_admin(&demo, "disable").await;
    world.switch_factor_as_admin(&demo, "enable").await;
    world.change_block(&demo, "block").await;
    world.change_block(&demo, "unblock").await;
    let newcomer = world.create_person("newcomer").await;
    world.add_device(&newcomer).await;
    let app = world.application();
    app.start(&world, ADDRESS).await;
    let code = world.verification_code(ADDRESS).await;
    app.check(&world, ADDRESS, &code).await.ok(200);
    world.deliver_streams().await;

    let schemas = schemas();
    let mut types = Vec::new();
    for entry in published(&world).await {
        let name = entry["detail-type"].as_str().expect("a type").to_owned();
        assert_eq!((&entry["source"], &entry["bus"]), (&json!("countersign"), &json!("identity")), "{entry}");
        let detail = match &entry["detail"] {
            Value::String(text) => serde_json::from_str(text).expect("JSON"),
            detail => detail.clone(),
        };
        let schema = schemas.get(&name).unwrap_or_else(|| panic!("docs/events has no schema of {name}"));
        let errors: Vec<_> = schema.iter_errors(&detail).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{entry}: {errors:?}");
        let known = ["actor", "domain", "id", "outcome", "subject", "time"];
        let names = detail.as_object().expect("an object").keys();
        assert!(names.into_iter().all(|name| known.contains(&name.as_str())), "{detail}");
        types.push(name);
    }
    for expected in [
        "support_pin.created",
        "support_pin.read",
        "passcode.issued",
        "passcode.consumed",
        "passcode.invalidated",
        "user.signed_in",
        "device.added",
        "factor.changed",
        "user.blocked",
        "user.unblocked",
        "user.created",
        "verification.approved",
    ] {
        assert!(types.iter().any(|name| name == expected), "{expected} is not in {types:?}");
    }
}

#[tokio::test]
async fn an_event_that_is_delivered_again_is_neither_mailed_nor_published_again() {
    let world = World::with(&[BUS]).await;
    let demo = world.demo();
    let (one, other) = (record(&world, &demo.id, 1).await, record(&world, &demo.id, 2).await);
    for batch in [
        vec![one.clone()],
        vec![one.clone(), other.clone()],
        vec![other, one.clone(), one],
    ] {
        assert!(publish(&world, &batch).await.is_empty());
    }
    assert_eq!(notices(&world, &demo).await, 2);
    let published = published(&world).await;
    let ours: Vec<_> = published.iter().filter(|entry| entry["detail-type"] == "password.changed").collect();
    assert_eq!(ours.len(), 2, "{published:?}");
}

#[tokio::test]
async fn a_channel_that_fails_does_not_repeat_the_other() {
    for failing in ["ses", "events"] {
        let world = World::with(&[BUS]).await;
        let demo = world.demo();
        let batch = [record(&world, &demo.id, 1).await, record(&world, &demo.id, 2).await];
        world.inject(fault_rule(failing, "error", 0, 1000)).await;
        assert_eq!(publish(&world, &batch).await, [sequence(1), sequence(2)], "{failing}");
        world.clear_faults().await;
        for _ in 0..2 {
            assert!(publish(&world, &batch).await.is_empty(), "{failing}");
        }
        assert_eq!(notices(&world, &demo).await, 2, "{failing}");
        let published = published(&world).await;
        let count = published.iter().filter(|entry| entry["detail-type"] == "password.changed").count();
        assert_eq!(count, 2, "{failing}: {published:?}");
    }
}

#[tokio::test]
async fn a_transient_failure_stops_at_its_record() {
    let world = World::new().await;
    let demo = world.demo();
    let batch = [
        record(&world, &demo.id, 1).await,
        record(&world, &demo.id, 2).await,
        record(&world, &demo.id, 3).await,
    ];
    world.inject(fault_rule("ses", "error", 1, 1000)).await;
    assert_eq!(publish(&world, &batch).await, [sequence(2), sequence(3)]);
    world.clear_faults().await;
    assert!(publish(&world, &batch[1..]).await.is_empty());
    assert_eq!(notices(&world, &demo).await, 3);
}

#[tokio::test]
async fn a_malformed_audit_record_fails_alone() {
    let world = World::new().await;
    let demo = world.demo();
    let good = record(&world, &demo.id, 2).await;
    for (pointer, value) in [
        ("/eventSource", None),
        ("/eventName", Some(json!("UPSERT"))),
        ("/dynamodb/NewImage", None),
        ("/dynamodb/NewImage/id", Some(json!({ "B": "Bwc=" }))),
        ("/dynamodb/NewImage/notice", Some(json!({ "S": "unheard" }))),
        ("/dynamodb/NewImage/at", None),
    ] {
        let bad = with(&record(&world, &demo.id, 1).await, pointer, value);
        assert_eq!(publish(&world, &[bad, good.clone()]).await, [sequence(1)], "{pointer}");
    }
    assert_eq!(notices(&world, &demo).await, 1);
}

#[tokio::test]
async fn suppressed_addresses_and_missing_users_get_no_notice() {
    let world = World::with(&[NO_BUS]).await;
    let (demo, admin) = (world.demo(), world.demo_admin());
    suppress(&world, &demo.email).await;
    let unknown = record(&world, UNKNOWN_ID, 1).await;
    let of_a_client = with(&unknown, "/dynamodb/NewImage/subject", Some(json!({ "S": "client:shop" })));
    let batch = [
        unknown,
        record(&world, &demo.id, 2).await,
        with(&of_a_client, "/dynamodb/SequenceNumber", Some(json!(sequence(3)))),
        record(&world, &admin.id, 4).await,
    ];
    assert!(publish(&world, &batch).await.is_empty());
    assert_eq!((notices(&world, &demo).await, notices(&world, &admin).await), (0, 1));
    assert_eq!(world.rows("PublicationsTable").await.len(), 1, "only what was mailed is remembered");
}

#[tokio::test]
async fn a_restored_event_is_not_mailed() {
    let world = World::new().await;
    let demo = world.demo();
    let now = world.now().await;
    let batch = [(1, 2 * 86_400), (2, 2 * 86_400 - 3600)].map(|(n, age)| (n, json!({ "N": (now - age).to_string() })));
    for (n, at) in batch {
        let old = with(&record(&world, &demo.id, n).await, "/dynamodb/NewImage/at", Some(at));
        assert!(publish(&world, &[old]).await.is_empty());
    }
    assert_eq!(notices(&world, &demo).await, 1, "the younger one");
}

#[tokio::test]
async fn nothing_is_published_without_a_bus() {
    let world = World::with(&[NO_BUS]).await;
    let demo = world.demo();
    let without_notice = with(&record(&world, &demo.id, 1).await, "/dynamodb/NewImage/notice", None);
    assert!(publish(&world, &[without_notice]).await.is_empty());
    world.post(OWN_PIN).private_token(world.user()).send().await.ok(201);
    world.deliver_streams().await;
    assert_eq!(published(&world).await, Vec::<Value>::new());
    assert_eq!(world.rows("PublicationsTable").await, Vec::<Value>::new());
}
