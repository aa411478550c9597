//! The function that the local cloud's own tests run: the event selects its behaviour.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem};
use aws_sdk_ses::types::{Body, Content, Destination, Message};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

/// Whether the process exits on its next event.
static DOOMED: AtomicBool = AtomicBool::new(false);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    match env("FIXTURE_INIT").as_str() {
        "exit" => {
            eprintln!("the fixture lacks something");
            std::process::exit(7)
        }
        "hang" => std::future::pending().await,
        "secret" => {
            let secret = secrets().get_secret_value().secret_id(env("SECRET_ARN")).send().await?;
            println!("read a secret of {} characters", secret.secret_string().unwrap_or_default().len());
        }
        _ => {}
    }
    println!("fixture is up");
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let event = event.payload;
    if event["Records"][0]["EventSource"] == "aws:sns" {
        println!("told by {}: {}", event["Records"][0]["Sns"]["TopicArn"], event["Records"][0]["Sns"]["Message"]);
        return Ok(Value::Null);
    }
    if event["Records"].is_array() {
        return stream(&event).await;
    }
    if event["source"] == "aws.events" {
        println!("scheduled at {}", event["time"]);
        return Ok(Value::Null);
    }
    if event["command"].is_string() {
        return Ok(operator(&event));
    }
    let asked = |key: &str| {
        let query = &event["queryStringParameters"][key];
        query.as_str().or(event[key].as_str()).unwrap_or_default().to_owned()
    };
    if DOOMED.load(Ordering::SeqCst) {
        if !asked("call").is_empty() {
            let item = AttributeValue::S("a call".to_owned());
            dynamodb().put_item().table_name(env("TABLE")).item("id", item).send().await?;
        }
        std::process::exit(8);
    }
    match asked("mode").as_str() {
        "doomed" => {
            DOOMED.store(true, Ordering::SeqCst);
            Ok(json!({ "statusCode": 200 }))
        }
        "crash" => std::process::exit(9),
        "aws" => Ok(call(&asked("call"), &asked("of")).await),
        "panic" => panic!("the fixture was asked to panic"),
        "error" => Err("the fixture was asked to fail".into()),
        "hang" => std::future::pending().await,
        "sleep" => {
            println!("asleep");
            tokio::time::sleep(Duration::from_millis(asked("ms").parse()?)).await;
            Ok(json!({ "statusCode": 200, "body": format!("{} {}", std::process::id(), asked("token")) }))
        }
        "raw" => Ok(serde_json::from_str(&asked("answer"))?),
        "environment" => {
            let all: serde_json::Map<String, Value> =
                std::env::vars().map(|(key, value)| (key, value.into())).collect();
            Ok(
                json!({ "statusCode": 200, "headers": { "content-type": "application/json" }, "body": Value::from(all).to_string() }),
            )
        }
        "put" => {
            let mut put = dynamodb().put_item().table_name(env("TABLE")).item("id", AttributeValue::S(asked("id")));
            if let Ok(expires) = asked("expires").parse::<u64>() {
                put = put.item("expires_at", AttributeValue::N(expires.to_string()));
            }
            for name in ["type", "notice"] {
                if !asked(name).is_empty() {
                    put = put.item(name, AttributeValue::S(asked(name)));
                }
            }
            put.send().await?;
            Ok(json!({ "statusCode": 201 }))
        }
        _ => Ok(json!({
            "statusCode": 200,
            "headers": { "content-type": "application/json", "x-fixture": "echo" },
            "cookies": ["a=1", "b=2"],
            "body": event.to_string(),
        })),
    }
}

/// Logs each record, copies the row of those whose key begins with `copy`, and reports as failed those whose key begins
/// with `poison`.
async fn stream(event: &Value) -> Result<Value, Error> {
    let mut failures = Vec::new();
    for record in event["Records"].as_array().into_iter().flatten() {
        let id = record["dynamodb"]["Keys"]["id"]["S"].as_str().unwrap_or_default();
        let by = record["userIdentity"]["principalId"].as_str().unwrap_or("somebody");
        println!("record {} {id} by {by}", record["eventName"].as_str().unwrap_or_default());
        if record["dynamodb"]["NewImage"].is_object() {
            println!("new image of {id}: {}", record["dynamodb"]["NewImage"]);
        }
        if id.starts_with("copy") {
            let copy = AttributeValue::S(format!("a {id}"));
            dynamodb().put_item().table_name(env("TABLE")).item("id", copy).send().await?;
        }
        if id.starts_with("poison") {
            failures.push(json!({ "itemIdentifier": record["dynamodb"]["SequenceNumber"] }));
        }
    }
    Ok(json!({ "batchItemFailures": failures }))
}

fn operator(command: &Value) -> Value {
    if !command["at"].is_null() {
        return json!({ "error": "there is no field at" });
    }
    match command["command"].as_str().unwrap_or_default() {
        "set_domain" => json!({ "domain": command["domain"] }),
        "create_client" => json!({ "client_id": command["client_id"], "client_secret": "s3cret" }),
        "create_user" => json!({ "user_id": format!("user-{}", command["login"].as_str().unwrap_or_default()) }),
        "set_factor" => {
            println!("a factor of {}: {} {}", command["user_id"], command["type"], command["factor"]);
            json!({ "factor_id": "factor" })
        }
        "create_token" => {
            let owner = command["user_id"].as_str().or(command["owner_client_id"].as_str()).unwrap_or_default();
            println!("a token for {} seconds", command["lifetime_seconds"]);
            json!({ "token": format!("{owner}:{}", command["scopes"]), "lifetime_seconds": command["lifetime_seconds"] })
        }
        "create_verify_account" => json!({ "account_sid": "AC1", "auth_token": "t0ken", "service_sid": "VA1" }),
        other => json!({ "error": format!("there is no command {other}") }),
    }
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// A service's client, as a function creates it, but without retries, so that errors show at once.
macro_rules! client {
    ($sdk:ident, $variable:literal) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version_latest()
                .region($sdk::config::Region::new(env("AWS_REGION")))
                .credentials_provider($sdk::config::Credentials::new("local", "local", None, None, "env"))
                .retry_config($sdk::config::retry::RetryConfig::disabled())
                .endpoint_url(env($variable))
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .build(),
        )
    };
}

fn dynamodb() -> aws_sdk_dynamodb::Client {
    client!(aws_sdk_dynamodb, "AWS_ENDPOINT_URL_DYNAMODB")
}

fn secrets() -> aws_sdk_secretsmanager::Client {
    client!(aws_sdk_secretsmanager, "AWS_ENDPOINT_URL_SECRETS_MANAGER")
}

/// Makes the call `what` on the resource `of`; returns the error code.
async fn call(what: &str, of: &str) -> Value {
    let item = || HashMap::from([("id".to_owned(), AttributeValue::S("called".to_owned()))]);
    let called = match what {
        "put" => code(dynamodb().put_item().table_name(of).set_item(Some(item())).send().await),
        "get" => code(dynamodb().get_item().table_name(of).set_key(Some(item())).send().await),
        "transact" => {
            let put = Put::builder().table_name(of).set_item(Some(item())).build();
            let put = put.expect("complete");
            let check = ConditionCheck::builder()
                .table_name(of)
                .set_key(Some(item()))
                .condition_expression("attribute_not_exists(id)");
            let check = check.build().expect("complete");
            let items = [
                TransactWriteItem::builder().put(put).build(),
                TransactWriteItem::builder().condition_check(check).build(),
            ];
            let transaction = dynamodb().transact_write_items();
            code(transaction.set_transact_items(Some(items.into())).send().await)
        }
        "secret" => code(secrets().get_secret_value().secret_id(of).send().await),
        "mail" => {
            let content = |text: &str| Content::builder().data(text).build().expect("complete");
            let body = Body::builder().text(content("text")).build();
            let message = Message::builder().subject(content("subject")).body(body).build();
            let mail = client!(aws_sdk_ses, "AWS_ENDPOINT_URL_SES")
                .send_email()
                .source(of)
                .destination(Destination::builder().to_addresses("to@example.org").build())
                .message(message)
                .configuration_set_name("countersign-MailSet");
            code(mail.send().await)
        }
        "publish" => {
            let message = client!(aws_sdk_sns, "AWS_ENDPOINT_URL_SNS").publish().message("text");
            let message = match of.starts_with('+') {
                true => message.phone_number(of),
                false => message.topic_arn(of),
            };
            code(message.send().await)
        }
        "event" => {
            // One request is not worth its SDK.
            let entry = json!({ "Source": "fixture", "DetailType": "Made", "Detail": "{}", "EventBusName": of });
            let request = reqwest::Client::new().post(env("AWS_ENDPOINT_URL_EVENTBRIDGE"));
            let request = request.header("x-amz-target", "AWSEvents.PutEvents").json(&json!({ "Entries": [entry] }));
            let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
            answer["__type"].as_str().unwrap_or_default().to_owned()
        }
        other => format!("there is no call {other}"),
    };
    json!({ "code": called })
}

fn code<T, E>(called: Result<T, SdkError<E>>) -> String
where
    E: ProvideErrorMetadata,
{
    match called {
        Ok(_) => String::new(),
        Err(error) => error.code().unwrap_or("no code").to_owned(),
    }
}
