//! `--data`: state persists across restarts.

use std::path::Path;

use countersign_local::{Cloud, Options};
use serde_json::{Value, json};

use crate::support::{Folder, Local, fixture_options, fixture_template, read, send};

#[tokio::test]
async fn rows_secrets_identities_and_the_clock_persist_across_a_restart() {
    let folder = Folder::new();
    let options = folder.options();
    let local = Local::start_with(options.clone()).await;
    let expires = epoch(&local).await + 100;
    send(local.get(&format!("/things/1?mode=put&id=kept&expires={expires}"))).await;
    local.posted("/_local/clock", &json!({ "advance_seconds": 1_000_000 })).await;
    let identities = local.json("/_local/identities").await;
    let before = epoch(&local).await;
    let taken = refusal(options.clone()).await;
    assert!(taken.starts_with("another local cloud uses the data directory"), "{taken}");
    local.cloud.stop().await;

    let local = Local::start_with(options.clone()).await;
    assert_eq!(local.json("/_local/identities").await, identities);
    assert!((before..before + 60).contains(&epoch(&local).await), "the clock stays ahead");
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
    assert!(!local.cloud.logs().iter().any(|line| line.contains("record")), "a record is delivered once");
    local.cloud.stop().await;

    let data = folder.0.join("data");
    assert_eq!(std::fs::read_to_string(data.join(".gitignore")).expect("written"), "*\n");
    #[cfg(unix)]
    for (path, mode) in [
        (data.clone(), 0o700),
        (data.join("state.json"), 0o600),
        (data.join("dynamodb.sqlite"), 0o600),
    ] {
        use std::os::unix::fs::PermissionsExt as _;
        let found = std::fs::metadata(&path).expect("written").permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }
}

#[tokio::test]
async fn a_directory_with_unrelated_files_is_not_changed() {
    for name in [".gitignore", "lock", "notes.txt"] {
        let folder = Folder::new();
        std::fs::write(folder.0.join(name), "mine\n").expect("written");
        let mut options = fixture_options();
        options.data = Some(folder.0.clone());
        assert_eq!(
            refusal(options).await,
            format!("{} holds other things; give an empty directory", folder.0.display())
        );
        let found = std::fs::read_to_string(folder.0.join(name)).expect("still there");
        assert_eq!(found, "mine\n", "{name}");
        assert_eq!(std::fs::read_dir(&folder.0).expect("a directory").count(), 1, "{name}");
    }
}

#[tokio::test]
async fn the_state_file_of_another_program_is_not_changed() {
    let folder = Folder::new();
    let theirs = r#"{"version":4}"#;
    std::fs::write(folder.0.join("state.json"), theirs).expect("written");
    let mut options = fixture_options();
    options.data = Some(folder.0.clone());
    let refused = refusal(options).await;
    assert!(refused.contains("state.json cannot be read: unknown field `version`"), "{refused}");
    let found = std::fs::read_to_string(folder.0.join("state.json")).expect("still there");
    assert_eq!(found, theirs);
}

#[tokio::test]
async fn existing_files_keep_their_contents() {
    let folder = Folder::new();
    let mut options = fixture_options();
    options.data = Some(folder.0.clone());
    Local::start_with(options.clone()).await.cloud.stop().await;
    for name in [".gitignore", "lock"] {
        std::fs::write(folder.0.join(name), "mine\n").expect("written");
    }
    Local::start_with(options).await.cloud.stop().await;
    for name in [".gitignore", "lock"] {
        let found = std::fs::read_to_string(folder.0.join(name)).expect("still there");
        assert_eq!(found, "mine\n", "{name}");
    }
}

#[tokio::test]
async fn an_interrupted_first_start_is_restarted() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let mut options = folder.options();
    // The start fails when the check of the functions reaches the one that dies.
    options.check_functions = true;
    let refused = refusal(options.clone()).await;
    assert!(refused.contains("DyingFunction"), "{refused}");
    assert_eq!(state(&data)["first_start"], true);
    // A table with other keys: only the interrupted start can have created the old one.
    let other = std::fs::read_to_string(&options.template)
        .expect("the fixture is there")
        .replace("AttributeName: id,", "AttributeName: number,");
    options.template = folder.template(&other);
    options.check_functions = false;
    let local = Local::start_with(options.clone()).await;
    let identities = local.json("/_local/identities").await;
    local.cloud.stop().await;
    assert_eq!(state(&data)["first_start"], false);

    let local = Local::start_with(options).await;
    assert_eq!(
        local.json("/_local/identities").await,
        identities,
        "nothing begins anew after a start that was ready"
    );
    local.cloud.stop().await;
}

#[tokio::test]
async fn rows_without_keys_are_reported_in_one_line() {
    let folder = Folder::new();
    let mut options = fixture_options();
    options.data = Some(folder.0.clone());
    Local::start_with(options.clone()).await.cloud.stop().await;
    std::fs::remove_file(folder.0.join("state.json")).expect("it was there");
    assert_eq!(
        refusal(options).await,
        format!("{} has rows but no keys; delete it, or put its state.json back", folder.0.display())
    );
    assert!(folder.0.join("dynamodb.sqlite").exists());
}

#[tokio::test]
async fn processed_records_are_deleted_and_none_is_lost() {
    let folder = Folder::new();
    let options = folder.options();
    for round in 0..3 {
        let local = Local::start_with(options.clone()).await;
        for turn in 0..3 {
            let id = format!("r{round}t{turn}");
            send(local.get(&format!("/things/1?mode=put&id={id}&expires=1"))).await;
            assert_eq!(local.posted("/_local/sweep", &json!({})).await, json!({ "deleted": 1 }), "{id}");
        }
        let lines = local.cloud.logs();
        let removed: Vec<_> = lines.iter().filter_map(|line| line.split_once("| record REMOVE ")).collect();
        let ids: Vec<_> = removed.iter().map(|(_, rest)| &rest[..4]).collect();
        assert_eq!(ids, [0, 1, 2].map(|turn| format!("r{round}t{turn}")));
        local.cloud.stop().await;
    }
}

#[tokio::test]
async fn an_existing_table_is_updated_to_the_template() {
    let folder = Folder::new();
    let fixture = std::fs::read_to_string(fixture_template()).expect("the fixture is there");
    let (ttl, stream) = (
        "      TimeToLiveSpecification: { AttributeName: expires_at, Enabled: true }\n",
        "      StreamSpecification: { StreamViewType: NEW_AND_OLD_IMAGES }\n",
    );
    let start = fixture.find("  StreamFunction:").expect("it subscribes to the stream");
    let end = fixture.find("  TimerFunction:").expect("it comes next");
    let silent = format!("{}{}", &fixture[..start], fixture[end..].replace(stream, ""));
    let mut options = folder.options();

    // Without TTL and stream, then with another TTL.
    for (attribute, specification) in [
        (None, String::new()),
        (Some("moment"), ttl.replace("expires_at", "moment")),
        (None, String::new()),
    ] {
        options.template = folder.template(&silent.replace(ttl, &specification));
        let local = Local::start_with(options.clone()).await;
        assert_eq!(description(&local).await, (attribute.map(str::to_owned), None));
        local.cloud.stop().await;
    }
    // A stream of keys only, then the TTL and stream of the fixture.
    for (view, enabled) in [
        ("KEYS_ONLY", fixture.replace("NEW_AND_OLD_IMAGES", "KEYS_ONLY")),
        ("NEW_AND_OLD_IMAGES", fixture.clone()),
    ] {
        options.template = folder.template(&enabled);
        let local = Local::start_with(options.clone()).await;
        let expected = (Some("expires_at".to_owned()), Some(view.to_owned()));
        assert_eq!(description(&local).await, expected);
        local.cloud.stop().await;
    }
    // The reverse: without the stream, the TTL sweep still works.
    options.template = folder.template(&silent);
    let local = Local::start_with(options).await;
    assert_eq!(description(&local).await, (Some("expires_at".to_owned()), None));
    let over = epoch(&local).await - 100;
    send(local.get(&format!("/things/1?mode=put&id=over&expires={over}"))).await;
    assert_eq!(local.posted("/_local/sweep", &json!({})).await, json!({ "deleted": 1 }));
    local.cloud.stop().await;
}

#[tokio::test]
async fn a_table_with_other_keys_or_indexes_is_reported_in_one_line() {
    let folder = Folder::new();
    let fixture = std::fs::read_to_string(fixture_template()).expect("the fixture is there");
    let (id, keys) = (
        "        - { AttributeName: id, AttributeType: S }\n",
        "        - { AttributeName: id, KeyType: HASH }\n",
    );
    let index = |projection: &str| {
        fixture
            .replace(id, &format!("{id}        - {{ AttributeName: owner, AttributeType: S }}\n"))
            .replace(
                keys,
                &format!(
                    "{keys}      GlobalSecondaryIndexes:\n        - IndexName: by-owner\n          KeySchema: [{{ AttributeName: owner, KeyType: HASH }}]\n          Projection: {projection}\n"
                ),
            )
    };
    let two = index("{ ProjectionType: INCLUDE, NonKeyAttributes: [a, b] }");
    for (before, after, what) in [
        (&two, &two, None),
        (&fixture, &fixture.replace("AttributeType: S", "AttributeType: N"), Some("keys")),
        (&fixture, &fixture.replace("AttributeName: id,", "AttributeName: number,"), Some("keys")),
        (&two, &index("{ ProjectionType: ALL }"), Some("indexes")),
        (&two, &two.replace("[a, b]", "[a, c]"), Some("indexes")),
        (&two, &two.replace("by-owner", "of-owner"), Some("indexes")),
    ] {
        let mut options = fixture_options();
        let data = Folder::new();
        options.data = Some(data.0.clone());
        options.template = folder.template(before);
        Local::start_with(options.clone()).await.cloud.stop().await;
        options.template = folder.template(after);
        match what {
            None => Local::start_with(options).await.cloud.stop().await,
            Some(what) => assert_eq!(
                refusal(options).await,
                format!(
                    "cannot create the table ThingsTable: the data directory holds it with other {what}; give another directory or delete that one"
                )
            ),
        }
    }
}

/// The table's TTL attribute, and its stream's view type.
async fn description(local: &Local) -> (Option<String>, Option<String>) {
    let asked = async |operation: &str| {
        let request = local
            .http
            .post(local.cloud.endpoint("dynamodb"))
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("content-type", "application/x-amz-json-1.0")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=b",
            )
            .header("x-amz-date", "20260101T000000Z")
            .body(json!({ "TableName": "countersign-ThingsTable" }).to_string());
        read(send(request).await).await
    };
    let ttl = asked("DescribeTimeToLive").await;
    assert!(ttl["TimeToLiveDescription"].is_object(), "{ttl}");
    let table = asked("DescribeTable").await;
    assert!(table["Table"].is_object(), "{table}");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let stream = &table["Table"]["StreamSpecification"];
    (
        text(&ttl["TimeToLiveDescription"]["AttributeName"]),
        text(&stream["StreamViewType"]).filter(|_| stream["StreamEnabled"] == true),
    )
}

#[tokio::test]
async fn old_demo_tokens_are_reissued() {
    let folder = Folder::new();
    let mut options = fixture_options();
    options.data = Some(folder.0.clone());
    let local = Local::start_with(options.clone()).await;
    let identities = local.json("/_local/identities").await;
    local.cloud.stop().await;

    let worn = "worn-token";
    let wear = |made_at: Option<u64>| {
        let mut state = state(&folder.0);
        for place in ["/passcode_token", "/admin/token", "/user/token"] {
            *state["identities"].pointer_mut(place).expect("a token") = worn.into();
        }
        let fields = state.as_object_mut().expect("an object");
        match made_at {
            Some(at) => fields.insert("identities_made_at".to_owned(), at.into()),
            None => fields.remove("identities_made_at"),
        };
        let worn = state["identities"].clone();
        std::fs::write(folder.0.join("state.json"), state.to_string()).expect("written");
        worn
    };
    let made_at = state(&folder.0)["identities_made_at"].as_u64().expect("a number");

    let young = wear(Some(made_at - 299 * 86_400));
    let local = Local::start_with(options.clone()).await;
    assert_eq!(local.json("/_local/identities").await, young);
    local.cloud.stop().await;

    for age in [Some(301), None] {
        wear(age.map(|days| made_at - days * 86_400));
        let local = Local::start_with(options.clone()).await;
        assert_eq!(
            local.json("/_local/identities").await,
            identities,
            "new tokens, and everything else as it was: {age:?}"
        );
        assert_eq!(local.json("/_local/invocations").await, json!([]));
        local.cloud.stop().await;
        assert!(state(&folder.0)["identities_made_at"].as_u64() >= Some(made_at));
    }

    wear(Some(made_at));
    let local = Local::start_with(options.clone()).await;
    local.posted("/_local/clock", &json!({ "advance_seconds": 301 * 86_400 })).await;
    local.cloud.stop().await;
    let local = Local::start_with(options).await;
    assert_eq!(local.json("/_local/identities").await, identities, "old by the local clock");
    local.cloud.stop().await;
}

#[tokio::test]
async fn identities_of_an_earlier_version_get_an_account_for_verifications() {
    let folder = Folder::new();
    let mut options = fixture_options();
    options.data = Some(folder.0.clone());
    let local = Local::start_with(options.clone()).await;
    let identities = local.json("/_local/identities").await;
    local.cloud.stop().await;
    let mut earlier = state(&folder.0);
    let removed = earlier["identities"].as_object_mut().expect("an object").remove("verify");
    assert!(removed.is_some_and(|verify| verify["account_sid"].is_string()));
    std::fs::write(folder.0.join("state.json"), earlier.to_string()).expect("written");
    let local = Local::start_with(options).await;
    assert_eq!(local.json("/_local/identities").await, identities);
    local.cloud.stop().await;
}

fn state(data: &Path) -> Value {
    let text = std::fs::read(data.join("state.json")).expect("written");
    serde_json::from_slice(&text).expect("JSON")
}

/// The error of a cloud that does not start.
async fn refusal(options: Options) -> String {
    Cloud::start(options).await.err().expect("it does not start").to_string()
}

async fn epoch(local: &Local) -> u64 {
    let event = read(send(local.get("/things/1")).await).await;
    event["requestContext"]["timeEpoch"].as_u64().expect("a number") / 1000
}
