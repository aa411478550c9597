//! AWS's part, asked by the unmodified SDK: the services, and the faults they can be told to have.

use std::time::Duration;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use aws_sdk_ses::primitives::Blob;
use aws_sdk_ses::types::{Body, Content, Destination, Message, MessageTag, RawMessage};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Local, read, send};

const TABLE: &str = "countersign-ThingsTable";

/// The service's client as a function would make it, but with one attempt, so that faults show.
macro_rules! client {
    ($sdk:ident, $local:expr, $service:literal) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version_latest()
                .region($sdk::config::Region::new("us-east-1"))
                .credentials_provider($sdk::config::Credentials::new("a", "b", None, None, "test"))
                .retry_config($sdk::config::retry::RetryConfig::disabled())
                .endpoint_url($local.cloud.endpoint($service))
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .build(),
        )
    };
}

fn id(id: &str) -> AttributeValue {
    AttributeValue::S(id.to_owned())
}

async fn fault(local: &Local, service: &str, operation: Value, kind: &str, skip: u32, times: u32) {
    let rule = json!({ "service": service, "operation": operation, "kind": kind, "skip": skip, "times": times });
    let response = send(local.post("/_local/faults", &rule)).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT, "{rule}");
}

#[tokio::test]
async fn dynamodb_faults_skip_hit_and_end() {
    let local = Local::start().await;
    let dynamodb = client!(aws_sdk_dynamodb, local, "dynamodb");
    let update = async || dynamodb.update_item().table_name(TABLE).key("id", id("1")).send().await;
    fault(&local, "dynamodb", json!("UpdateItem"), "error", 1, 2).await;
    assert!(update().await.is_ok(), "the first passes");
    for _ in 0..2 {
        let error = update().await.expect_err("the next two are hit").into_service_error();
        assert!(matches!(error, UpdateItemError::InternalServerError(_)), "{error:?}");
    }
    assert!(update().await.is_ok(), "then it is over");

    fault(&local, "dynamodb", Value::Null, "throttle", 0, 1).await;
    let error = update().await.expect_err("throttled").into_service_error();
    assert!(matches!(error, UpdateItemError::ThrottlingException(_)), "{error:?}");

    fault(&local, "dynamodb", json!("GetItem"), "throttle", 0, 1).await;
    assert!(update().await.is_ok(), "another operation is not hit");
    assert_eq!(
        send(local.delete("/_local/faults")).await.status(),
        StatusCode::NO_CONTENT
    );
    assert!(
        dynamodb
            .get_item()
            .table_name(TABLE)
            .key("id", id("1"))
            .send()
            .await
            .is_ok(),
        "cleared"
    );
}

#[tokio::test]
async fn dynamodb_conflicts_hit_writes_and_transactions() {
    let local = Local::start().await;
    let dynamodb = client!(aws_sdk_dynamodb, local, "dynamodb");
    fault(&local, "dynamodb", Value::Null, "conflict", 0, 2).await;
    assert!(
        dynamodb
            .get_item()
            .table_name(TABLE)
            .key("id", id("1"))
            .send()
            .await
            .is_ok(),
        "reads never conflict"
    );
    let error = dynamodb
        .update_item()
        .table_name(TABLE)
        .key("id", id("1"))
        .send()
        .await
        .expect_err("a conflict");
    let error = error.into_service_error();
    assert!(
        matches!(error, UpdateItemError::TransactionConflictException(_)),
        "{error:?}"
    );

    let put = Put::builder()
        .table_name(TABLE)
        .item("id", id("2"))
        .build()
        .expect("complete");
    let delete = Delete::builder()
        .table_name(TABLE)
        .key("id", id("3"))
        .build()
        .expect("complete");
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
    assert_eq!(
        local.json("/_local/tables/ThingsTable").await,
        json!([]),
        "nothing was written"
    );
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
    assert!(
        tokio::time::timeout(Duration::from_millis(100), put("hung"))
            .await
            .is_err()
    );
    assert!(put("fine").await.is_ok());
    let rows = local.json("/_local/tables/countersign-ThingsTable").await;
    let mut ids: Vec<&str> = rows
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|row| row["id"]["S"].as_str())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["fine", "lost"]);
}

#[tokio::test]
async fn the_engine_decides_races() {
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
    let winners = futures_util::future::join_all(racers)
        .await
        .into_iter()
        .filter(Result::is_ok)
        .count();
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
    assert!(
        key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{key}"
    );
    let arn = first.arn().expect("an ARN").to_owned();
    assert_eq!(
        get(&arn).await.expect("by ARN").secret_string(),
        Some(text.as_str()),
        "it stays the same"
    );
    secrets
        .put_secret_value()
        .secret_id(&arn)
        .secret_string("{\"2\":\"new\"}")
        .send()
        .await
        .expect("rotated");
    assert_eq!(
        get(&arn).await.expect("current").secret_string(),
        Some("{\"2\":\"new\"}")
    );
    let previous = secrets
        .get_secret_value()
        .secret_id(&arn)
        .version_stage("AWSPREVIOUS")
        .send()
        .await;
    assert_eq!(previous.expect("previous").secret_string(), Some(text.as_str()));
    let missing = get("nobody").await.expect_err("no such secret").into_service_error();
    assert!(missing.is_resource_not_found_exception(), "{missing:?}");
    fault(&local, "secretsmanager", Value::Null, "error", 0, 1).await;
    let error = get(&arn).await.expect_err("broken").into_service_error();
    assert!(error.is_internal_service_error(), "{error:?}");
    fault(&local, "secretsmanager", Value::Null, "throttle", 0, 1).await;
    assert_eq!(
        get(&arn).await.expect_err("throttled").code(),
        Some("ThrottlingException")
    );
}

#[tokio::test]
async fn faults_also_count_calls_made_while_a_function_starts() {
    let local = Local::start().await;
    fault(&local, "secretsmanager", json!("GetSecretValue"), "error", 0, 9).await;
    assert_eq!(
        send(local.get("/things/1")).await.status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );
    send(local.delete("/_local/faults")).await;
    assert_eq!(send(local.get("/things/1")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn mail_and_text_messages_are_captured() {
    let local = Local::start().await;
    let ses = client!(aws_sdk_ses, local, "ses");
    let sns = client!(aws_sdk_sns, local, "sns");
    let content = |text: &str| Content::builder().data(text).build().expect("complete");
    let body = Body::builder()
        .text(content("Hello & <you>"))
        .html(content("<b>Hello</b>"))
        .build();
    let message = Message::builder().subject(content("Grüße")).body(body).build();
    let destination = Destination::builder()
        .to_addresses("a@example.com")
        .cc_addresses("b@example.com")
        .bcc_addresses("Nobody <bounce+label@Simulator.AmazonSES.com>")
        .build();
    let sent = ses
        .send_email()
        .source("us@example.com")
        .destination(destination)
        .message(message.clone())
        .send()
        .await;
    assert!(!sent.expect("captured").message_id().is_empty());
    let raw = "From: us@example.com\r\nTo: Someone <c@example.com>\r\nSubject: =?utf-8?q?r=C3=A4w?=\r\nMIME-Version: 1.0\r\n\
               Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
               plain\r\n--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<i>html</i>\r\n--x--\r\n";
    let raw_message = RawMessage::builder().data(Blob::new(raw)).build().expect("complete");
    ses.send_raw_email()
        .raw_message(raw_message)
        .send()
        .await
        .expect("captured");
    sns.publish()
        .phone_number("+15555550123")
        .message("123456 is your code")
        .send()
        .await
        .expect("captured");
    sns.publish()
        .topic_arn("arn:aws:sns:us-east-1:123456789012:t")
        .message("dropped")
        .send()
        .await
        .expect("accepted");

    let mut messages = local.json("/_local/messages").await;
    for (index, message) in messages.as_array_mut().expect("a list").iter_mut().enumerate() {
        let at = message["at"].take();
        assert!(
            at.as_str().is_some_and(|at| at.len() == 20 && at.ends_with('Z')),
            "{at}"
        );
        assert!(message["id"].take().is_string(), "message {index} has an id");
    }
    let mail = |to: &str, subject: &str, text: &str, html: &str| json!({ "id": null, "channel": "email", "to": to, "subject": subject, "text": text, "html": html, "at": null });
    let expected = json!([
        mail("a@example.com", "Grüße", "Hello & <you>", "<b>Hello</b>"),
        mail("b@example.com", "Grüße", "Hello & <you>", "<b>Hello</b>"),
        mail("c@example.com", "räw", "plain", "<i>html</i>"),
        { "id": null, "channel": "sms", "to": "+15555550123", "subject": null, "text": "123456 is your code", "html": null, "at": null },
    ]);
    assert_eq!(messages, expected);
    assert_eq!(
        send(local.delete("/_local/messages")).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(local.json("/_local/messages").await, json!([]));
}

#[tokio::test]
async fn the_mailbox_simulator_bounces_and_complains() {
    let local = Local::start().await;
    let ses = client!(aws_sdk_ses, local, "ses");
    let content = Content::builder().data("x").build().expect("complete");
    let body = Body::builder().text(content.clone()).build();
    let send = async |to: &str, set: &str| {
        let tag = MessageTag::builder()
            .name("kind")
            .value("a-kind")
            .build()
            .expect("complete");
        let sent = ses
            .send_email()
            .source("us@example.com")
            .destination(Destination::builder().to_addresses(to).build())
            .message(Message::builder().subject(content.clone()).body(body.clone()).build())
            .configuration_set_name(set)
            .tags(tag)
            .send();
        sent.await.expect("accepted");
    };
    // Only bounces are published, and only those of the one configuration set.
    send("complaint@simulator.amazonses.com", "countersign-MailSet").await;
    send("bounce@simulator.amazonses.com", "another").await;
    send("success@simulator.amazonses.com", "countersign-MailSet").await;
    send("bounce+here@simulator.amazonses.com", "countersign-MailSet").await;
    local
        .logged("TimerFunction | told by \"arn:aws:sns:us-east-1:123456789012:countersign-Topic\"")
        .await;
    let lines = local.cloud.logs();
    let told: Vec<_> = lines.iter().filter(|line| line.contains("| told by")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let message = told[0].split_once("countersign-Topic\": ").expect("the message").1;
    let message: String = serde_json::from_str(message).expect("a text");
    let message: Value = serde_json::from_str(&message).expect("JSON in it");
    assert_eq!(message["eventType"], "Bounce");
    assert_eq!(
        message["bounce"]["bouncedRecipients"][0]["emailAddress"],
        "bounce+here@simulator.amazonses.com"
    );
    assert_eq!(
        message["mail"]["tags"]["ses:configuration-set"],
        json!(["countersign-MailSet"])
    );
    assert_eq!(message["mail"]["tags"]["kind"], json!(["a-kind"]));
    assert_eq!(local.json("/_local/messages").await, json!([]));
}

#[tokio::test]
async fn mail_and_text_messages_are_refused_as_aws_refuses_them() {
    let local = Local::start().await;
    let ses = client!(aws_sdk_ses, local, "ses");
    let sns = client!(aws_sdk_sns, local, "sns");
    let mail = async |to: &str| {
        let text = Content::builder().data("x").build().expect("complete");
        let message = Message::builder()
            .subject(text.clone())
            .body(Body::builder().text(text).build())
            .build();
        let destination = Destination::builder().to_addresses(to).build();
        ses.send_email()
            .source("us@example.com")
            .destination(destination)
            .message(message)
            .send()
            .await
    };
    let text = async |to: &str| sns.publish().phone_number(to).message("x").send().await;
    for address in [
        "nobody",
        "a@b@c",
        "a b@example.com",
        "a@example.com,b@example.com",
        "ä@example.com",
    ] {
        assert_eq!(
            mail(address).await.expect_err(address).code(),
            Some("InvalidParameterValue"),
            "{address}"
        );
    }
    for number in ["15555550123", "+0555", "+1", "+1555555012345678", "+1 555 555 0123"] {
        let error = text(number).await.expect_err(number).into_service_error();
        assert!(error.is_invalid_parameter_exception(), "{number}: {error:?}");
    }
    fault(&local, "ses", json!("SendEmail"), "rejected", 0, 1).await;
    assert!(
        mail("a@example.com")
            .await
            .expect_err("rejected")
            .into_service_error()
            .is_message_rejected()
    );
    fault(&local, "ses", Value::Null, "throttle", 0, 1).await;
    assert_eq!(
        mail("a@example.com").await.expect_err("throttled").code(),
        Some("Throttling")
    );
    fault(&local, "ses", Value::Null, "error", 0, 1).await;
    assert_eq!(
        mail("a@example.com").await.expect_err("broken").code(),
        Some("InternalFailure")
    );
    fault(&local, "sns", json!("Publish"), "opted_out", 0, 1).await;
    assert_eq!(
        text("+15555550123").await.expect_err("opted out").code(),
        Some("OptedOut")
    );
    fault(&local, "sns", Value::Null, "throttle", 0, 1).await;
    assert_eq!(
        text("+15555550123").await.expect_err("throttled").code(),
        Some("Throttling")
    );
    fault(&local, "sns", Value::Null, "error", 0, 1).await;
    assert!(
        text("+15555550123")
            .await
            .expect_err("broken")
            .into_service_error()
            .is_internal_error_exception()
    );
    assert_eq!(
        local.json("/_local/messages").await,
        json!([]),
        "none of these was sent"
    );
    fault(&local, "ses", Value::Null, "drop_response", 0, 1).await;
    assert!(mail("a@example.com").await.is_err());
    assert_eq!(
        local.json("/_local/messages").await[0]["to"],
        "a@example.com",
        "this one was, and nobody was told"
    );
}

#[tokio::test]
async fn a_fault_that_makes_no_sense_is_refused() {
    let local = Local::start().await;
    for body in [
        json!({}),
        json!({ "service": "s3", "kind": "error" }),
        json!({ "service": "dynamodb", "kind": "explode" }),
        json!({ "service": "dynamodb", "kind": "error", "times": -1 }),
        json!({ "service": "dynamodb", "kind": "error", "extra": 1 }),
        json!({ "service": "ses", "kind": "conflict" }),
        json!({ "service": "sns", "kind": "rejected" }),
        json!([]),
    ] {
        let response = send(local.post("/_local/faults", &body)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
        assert!(read(response).await["error"].is_string(), "{body}");
    }
    assert_eq!(local.json("/_local/faults").await, json!([]));
}
