//! The faults that kill the process that makes a call, and faults of one function's calls.

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Local, client, send};

/// How often a kill is repeated: a process that goes on would be seen in some of them.
const ROUNDS: usize = 10;

async fn inject(local: &Local, rule: Value) {
    let response = send(local.post("/_local/faults", &rule)).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT, "{rule}");
}

/// The keys of the table's rows, in alphabetical order.
async fn ids(local: &Local) -> Vec<String> {
    let rows = local.json("/_local/tables/ThingsTable").await;
    let ids = rows.as_array().expect("a list").iter();
    let mut ids: Vec<_> = ids.map(|row| row["id"]["S"].as_str().expect("a key").to_owned()).collect();
    ids.sort_unstable();
    ids
}

async fn put(local: &Local, id: &str) -> StatusCode {
    send(local.get(&format!("/things/1?mode=put&id={id}"))).await.status()
}

#[tokio::test]
async fn a_killed_process_never_sees_the_end_of_its_call() {
    let local = Local::start().await;
    for (kind, is_applied) in [("kill_before", false), ("kill_after", true)] {
        for round in 0..ROUNDS {
            let id = format!("{kind} {round}");
            // Of a cold process and of a warm one.
            if round % 2 == 1 {
                assert_eq!(put(&local, "warm").await, StatusCode::CREATED);
            }
            send(local.delete("/_local/invocations")).await;
            inject(&local, json!({ "service": "dynamodb", "operation": "PutItem", "kind": kind })).await;
            assert_eq!(put(&local, &id).await, StatusCode::INTERNAL_SERVER_ERROR, "{id}");
            assert_eq!(ids(&local).await.contains(&id), is_applied, "{id}");
            let made = local.json("/_local/invocations").await;
            assert_eq!((&made[0]["status"], &made[1]), (&json!(500), &Value::Null), "{id}");
            assert_eq!(made[0]["calls"][0]["operation"], "PutItem", "{id}");
        }
    }
    let ends = |end: &str| local.cloud.logs().iter().filter(|line| line.contains(end)).count();
    assert_eq!(ends("EchoFunction | was ended by signal 9 during"), 2 * ROUNDS);
    assert_eq!(ends("the invocation failed"), 0, "no process saw an error of its call");
    send(local.delete("/_local/invocations")).await;
    assert_eq!(put(&local, "next").await, StatusCode::CREATED);
    assert_eq!(local.json("/_local/invocations").await[0]["cold"], true, "a new process takes the next request");
}

#[tokio::test]
async fn a_process_can_be_killed_while_it_starts() {
    let local = Local::start().await;
    inject(&local, json!({ "service": "secretsmanager", "kind": "kill_after" })).await;
    assert_eq!(send(local.get("/things/1")).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    local.logged("EchoFunction | was ended by signal 9 while it started").await;
    assert_eq!(send(local.get("/things/1")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_call_without_a_process_loses_its_connection_instead() {
    let local = Local::start().await;
    let dynamodb = client!(aws_sdk_dynamodb, local, "dynamodb");
    for kind in ["kill_before", "kill_after"] {
        inject(&local, json!({ "service": "dynamodb", "kind": kind })).await;
        let id = AttributeValue::S(kind.to_owned());
        let sent = dynamodb.put_item().table_name("countersign-ThingsTable").item("id", id).send().await;
        assert!(sent.expect_err("no answer comes").as_service_error().is_none());
    }
    assert_eq!(ids(&local).await, ["kill_after"]);

    // A process that runs elsewhere cannot be killed from here.
    let environment = local.posted("/_local/functions/EchoFunction/environment", &json!({})).await;
    inject(&local, json!({ "service": "secretsmanager", "kind": "kill_before" })).await;
    let read = async || {
        let endpoint = environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"].as_str().expect("an address");
        let request = local.http.post(endpoint).header("x-amz-target", "secretsmanager.GetSecretValue");
        request.json(&json!({ "SecretId": environment["SECRET_ARN"] })).send().await
    };
    assert!(read().await.is_err());
    assert_eq!(read().await.expect("an answer").status(), StatusCode::OK, "its endpoints stay open");
}

#[tokio::test]
async fn a_fault_can_be_restricted_to_one_function() {
    let local = Local::start().await;
    let rule = |function: &str, kind: &str| json!({ "service": "dynamodb", "function": function, "kind": kind });
    inject(&local, rule("OperatorFunction", "error")).await;
    inject(&local, rule("countersign-StreamFunction", "kill_before")).await;
    let dynamodb = client!(aws_sdk_dynamodb, local, "dynamodb");
    assert!(dynamodb.list_tables().send().await.is_ok(), "a call from outside is no function's");
    assert_eq!(put(&local, "other").await, StatusCode::CREATED);
    let listed = local.json("/_local/faults").await;
    let functions: Vec<_> = listed.as_array().expect("a list").iter().map(|rule| &rule["function"]).collect();
    assert_eq!(functions, ["OperatorFunction", "StreamFunction"], "none has been hit");

    // A function without a route: the batch that its process died of is delivered again.
    let row = "/things/1?mode=put&id=copy&expires=1";
    assert_eq!(send(local.get(row)).await.status(), StatusCode::CREATED);
    send(local.delete("/_local/invocations")).await;
    assert_eq!(local.posted("/_local/sweep", &json!({})).await, json!({ "deleted": 1 }));
    assert_eq!(ids(&local).await, ["a copy", "other"]);
    let made = local.json("/_local/invocations").await;
    let made: Vec<_> = made.as_array().expect("a list").iter().map(|one| (&one["function"], &one["status"])).collect();
    let stream = json!("StreamFunction");
    assert_eq!(made, [(&stream, &json!(500)), (&stream, &json!(200))]);
    assert_eq!(local.json("/_local/faults").await.as_array().map(Vec::len), Some(1));
}
