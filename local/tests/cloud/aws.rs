//! The AWS services, called by the unmodified SDK, and fault injection.

use std::time::Duration;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Local, client, eventually, fault, read, send};

const TABLE: &str = "countersign-ThingsTable";

fn id(id: &str) -> AttributeValue {
    AttributeValue::S(id.to_owned())
}

#[tokio::test]
async fn dynamodb_faults_skip_calls_apply_and_end() {
    let local = Local::start().await;
    let dynamodb = client!(aws_sdk_dynamodb, local, "dynamodb");
    let update = async || dynamodb.update_item().table_name(TABLE).key("id", id("1")).send().await;
    fault(&local, "dynamodb", json!("UpdateItem"), "error", 1, 2).await;
    assert!(update().await.is_ok(), "the first passes");
    for _ in 0..2 {
        let error = update().await.expect_err("the next two are hit").into_service_error();
        assert!(matches!(error, UpdateItemError::InternalServerError(_)), "{error:?}");
    }
    assert!(update().await.is_ok(), "then the fault ends");

    fault(&local, "dynamodb", Value::Null, "throttle", 0, 1).await;
    let error = update().await.expect_err("throttled").into_service_error();
    assert!(matches!(error, UpdateItemError::ThrottlingException(_)), "{error:?}");

    fault(&local, "dynamodb", json!("GetItem"), "throttle", 0, 1).await;
    assert!(update().await.is_ok(), "another operation is not hit");
    assert_eq!(send(local.delete("/_local/faults")).await.status(), StatusCode::NO_CONTENT);
    assert!(dynamodb.get_item().table_name(TABLE).key("id", id("1")).send().await.is_ok(), "cleared");
}

#[tokio::test]
async fn dynamodb_conflicts_apply_to_writes_and_transactions() {
    let local = Local::start().await;
    let dynamodb = client!(aws_sdk_dynamodb, local, "dynamodb");
    fault(&local, "dynamodb", Value::Null, "conflict", 0, 2).await;
    assert!(
        dynamodb.get_item().table_name(TABLE).key("id", id("1")).send().await.is_ok(),
        "reads never conflict"
    );
    let error = dynamodb.update_item().table_name(TABLE).key("id", id("1")).send().await.expect_err("a conflict");
    let error = error.into_service_error();
    assert!(matches!(error, UpdateItemError::TransactionConflictException(_)), "{error:?}");

    let put = Put::builder().table_name(TABLE).item("id", id("2")).build().expect("complete");
    let delete = Delete::builder().table_name(TABLE).key("id", id("3")).build().expect("complete");
    let transact = async || {
        dynamodb
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put.clone()).build())
            .transact_items(TransactWriteItem::builder().delete(delete.clone()).build())
            .send()
            .await
    };
    let error = transact().await.expect_err("a conflict").into_service_error();
    let reasons = match error {
        aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
            error,
        ) => error.cancellation_reasons.unwrap_or_default(),
        other => panic!("not cancelled but {other:?}"),
    };
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes, [Some("TransactionConflict"), Some("None")]);
    assert_eq!(local.json("/_local/tables/ThingsTable").await, json!([]), "nothing was written");
    for (kind, code) in [("throttle", "ThrottlingException"), ("error", "InternalServerError")] {
        fault(&local, "dynamodb", json!("TransactWriteItems"), kind, 0, 1).await;
        let error = transact().await.expect_err("a fault").into_service_error();
        assert_eq!(error.code(), Some(code), "{error:?}");
    }
    assert!(transact().await.is_ok());
    let remove = async || dynamodb.delete_item().table_name(TABLE).key("id", id("1")).send().await;
    for (kind, code) in [
        ("conflict", "TransactionConflictException"),
        ("throttle", "ThrottlingException"),
        ("error", "InternalServerError"),
    ] {
        fault(&local, "dynamodb", json!("DeleteItem"), kind, 0, 1).await;
        let error = remove().await.expect_err("a fault").into_service_error();
        assert_eq!(error.code(), Some(code), "{error:?}");
    }
    assert!(remove().await.is_ok());
}

#[tokio::test]
async fn a_dropped_response_is_applied_and_a_hanging_call_is_not() {
    let local = Local::start().await;
    let dynamodb = client!(aws_sdk_dynamodb, local, "dynamodb");
    let put = async |key: &str| dynamodb.put_item().table_name(TABLE).item("id", id(key)).send().await;
    fault(&local, "dynamodb", json!("PutItem"), "drop_response", 0, 1).await;
    let lost = put("lost").await.expect_err("no answer comes");
    assert!(
        matches!(lost, SdkError::DispatchFailure(_) | SdkError::ResponseError(_)),
        "{}",
        DisplayErrorContext(lost)
    );
    fault(&local, "dynamodb", json!("PutItem"), "hang", 0, 1).await;
    let mut hung = std::pin::pin!(put("hung"));
    // On a loaded machine the call may arrive late; the fault would then apply to the next one.
    let arrived = eventually("the call to arrive", async || local.json("/_local/faults").await == json!([]));
    tokio::select! {
        answer = &mut hung => panic!("it hangs, and does not answer {answer:?}"),
        () = arrived => {}
    }
    assert!(tokio::time::timeout(Duration::from_millis(100), hung).await.is_err());
    assert!(put("fine").await.is_ok());
    let rows = local.json("/_local/tables/countersign-ThingsTable").await;
    let mut ids: Vec<&str> =
        rows.as_array().expect("a list").iter().filter_map(|row| row["id"]["S"].as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["fine", "lost"]);
}

#[tokio::test]
async fn one_of_concurrent_conditional_writes_succeeds() {
    let local = Local::start().await;
    let dynamodb = client!(aws_sdk_dynamodb, local, "dynamodb");
    let racers = (0..32).map(|racer: u32| {
        let update = Update::builder()
            .table_name(TABLE)
            .key("id", id("prize"))
            .update_expression("SET winner = :racer")
            .condition_expression("attribute_not_exists(winner)")
            .expression_attribute_values(":racer", AttributeValue::N(racer.to_string()))
            .build()
            .expect("complete");
        let item = TransactWriteItem::builder().update(update).build();
        dynamodb.transact_write_items().transact_items(item).send()
    });
    let winners = futures_util::future::join_all(racers).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn secrets_are_generated_kept_and_rotated() {
    let local = Local::start().await;
    let secrets = client!(aws_sdk_secretsmanager, local, "secretsmanager");
    let get = async |name: &str| secrets.get_secret_value().secret_id(name).send().await;
    let first = get("countersign-KeySecret").await.expect("the template has it");
    let text = first.secret_string().expect("a text").to_owned();
    let value: Value = serde_json::from_str(&text).expect("the template's JSON");
    let key = value["1"].as_str().expect("the generated key");
    assert!(key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
    let arn = first.arn().expect("an ARN").to_owned();
    assert_eq!(get(&arn).await.expect("by ARN").secret_string(), Some(text.as_str()), "it stays the same");
    secrets
        .put_secret_value()
        .secret_id(&arn)
        .secret_string("{\"2\":\"new\"}")
        .send()
        .await
        .expect("rotated");
    assert_eq!(get(&arn).await.expect("current").secret_string(), Some("{\"2\":\"new\"}"));
    let previous = secrets.get_secret_value().secret_id(&arn).version_stage("AWSPREVIOUS").send().await;
    assert_eq!(previous.expect("previous").secret_string(), Some(text.as_str()));
    let missing = get("nobody").await.expect_err("no such secret").into_service_error();
    assert!(missing.is_resource_not_found_exception(), "{missing:?}");
    fault(&local, "secretsmanager", Value::Null, "error", 0, 1).await;
    let error = get(&arn).await.expect_err("broken").into_service_error();
    assert!(error.is_internal_service_error(), "{error:?}");
    fault(&local, "secretsmanager", Value::Null, "throttle", 0, 1).await;
    assert_eq!(get(&arn).await.expect_err("throttled").code(), Some("ThrottlingException"));
}

#[tokio::test]
async fn faults_also_count_calls_made_while_a_function_starts() {
    let local = Local::start().await;
    fault(&local, "secretsmanager", json!("GetSecretValue"), "error", 0, 9).await;
    assert_eq!(send(local.get("/things/1")).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    send(local.delete("/_local/faults")).await;
    assert_eq!(send(local.get("/things/1")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_invalid_fault_rule_is_refused() {
    let local = Local::start().await;
    for body in [
        json!({}),
        json!({ "service": "s3", "kind": "error" }),
        json!({ "service": "dynamodb", "kind": "explode" }),
        json!({ "service": "dynamodb", "kind": "error", "times": -1 }),
        json!({ "service": "dynamodb", "kind": "error", "extra": 1 }),
        json!({ "service": "dynamodb", "kind": "error", "function": "unknown" }),
        json!({ "service": "ses", "kind": "conflict" }),
        json!({ "service": "dynamodb", "kind": "rejected" }),
        json!([]),
    ] {
        let response = send(local.post("/_local/faults", &body)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
        assert!(read(response).await["error"].is_string(), "{body}");
    }
    assert_eq!(local.json("/_local/faults").await, json!([]));
}
