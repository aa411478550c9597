//! DynamoDB: requests pass through to the engine unchanged, except that they ask for the consumed capacity.

use std::collections::BTreeSet;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode, header};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::service::aws_json;
use crate::cost::Consumed;
use crate::database::Database;
use crate::http;
use crate::invocations::Units;
use crate::log::Log;
use crate::rights::{NOTHING, Need};
use crate::streams::Streams;
use crate::template::{ACCOUNT, REGION};

/// The parts of a request that name tables.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "TableName")]
    table: Option<String>,
    #[serde(rename = "IndexName")]
    index: Option<String>,
    #[serde(rename = "RequestItems", default)]
    batch: std::collections::BTreeMap<String, IgnoredAny>,
    #[serde(rename = "TransactItems", default)]
    transaction: Vec<std::collections::BTreeMap<String, Target>>,
}

#[derive(Deserialize)]
struct Target {
    #[serde(rename = "TableName")]
    table: Option<String>,
}

/// The table that a request names; several in alphabetical order, separated by commas.
pub(super) fn tables(body: &[u8]) -> Option<String> {
    let named: Named = serde_json::from_slice(body).ok()?;
    let mut tables: BTreeSet<String> = named.batch.into_keys().collect();
    tables.extend(named.table);
    tables.extend(named.transaction.into_iter().flatten().filter_map(|(_, target)| target.table));
    (!tables.is_empty()).then(|| tables.into_iter().collect::<Vec<_>>().join(","))
}

/// The permissions that a call needs. A transaction needs for each of its items what the item alone would need.
pub(super) fn needs(operation: &str, body: &[u8]) -> Vec<Need> {
    let need = |operation: &str, resource| Need::new(format!("dynamodb:{operation}"), resource);
    let Ok(named) = serde_json::from_slice::<Named>(body) else {
        return vec![need(operation, NOTHING.to_owned())];
    };
    let index = named.index.map(|index| format!("/index/{index}")).unwrap_or_default();
    let tables = named.table.into_iter().chain(named.batch.into_keys());
    let of_tables = tables.map(|table| need(operation, arn(&table) + &index));
    let items = named.transaction.into_iter().flatten();
    let of_items = items.map(|(what, target)| {
        let resource = target.table.as_deref().map_or_else(|| NOTHING.to_owned(), arn);
        need(&format!("{what}Item"), resource)
    });
    let needs: Vec<_> = of_tables.chain(of_items).collect();
    match needs.is_empty() {
        true => vec![need(operation, NOTHING.to_owned())],
        false => needs,
    }
}

/// A table may also be named by its ARN.
fn arn(table: &str) -> String {
    match table.starts_with("arn:") {
        true => table.to_owned(),
        false => format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"),
    }
}

/// Makes the engine return the consumed capacity units, unless the caller has requested them itself.
fn asking_for_units(head: &mut Parts, body: Bytes) -> Bytes {
    let Ok(Value::Object(mut request)) = serde_json::from_slice(&body) else {
        return body;
    };
    request.entry("ReturnConsumedCapacity").or_insert_with(|| "TOTAL".into());
    head.headers.remove(header::CONTENT_LENGTH);
    Value::from(request).to_string().into()
}

/// The capacity that DynamoDB bills for a call: as reported, except that a failed condition is billed like a success.
fn consumed(operation: &str, items: usize, answer: &Value) -> Consumed {
    let of_one = |capacity: &Value| capacity["CapacityUnits"].as_f64();
    let error = answer["__type"].as_str().unwrap_or_default();
    let units = match error.rsplit('#').next() {
        Some("ConditionalCheckFailedException") => 1.0,
        Some("TransactionCanceledException") => 2.0 * f64::from(u8::try_from(items).unwrap_or(u8::MAX)),
        _ => match &answer["ConsumedCapacity"] {
            Value::Array(tables) => tables.iter().filter_map(of_one).sum(),
            one => of_one(one).unwrap_or_default(),
        },
    };
    match is_write(operation) {
        true => Consumed {
            write: units,
            ..Consumed::default()
        },
        false => Consumed {
            read: units,
            ..Consumed::default()
        },
    }
}

/// The number of items in a transaction, at most a hundred.
fn items(body: &[u8]) -> usize {
    serde_json::from_slice::<Named>(body).map_or(0, |named| named.transaction.len())
}

/// Passes the call on to the engine and adds the capacity it consumed to `units`.
pub(super) async fn forward(
    database: &Database,
    streams: &Streams,
    log: &Log,
    operation: &str,
    mut head: Parts,
    body: Bytes,
    units: &Units,
) -> Response<Body> {
    let body = asking_for_units(&mut head, body);
    let items = items(&body);
    let written = is_write(operation).then(|| tables(&body));
    let answered = database.forward(head, body).await;
    if let Some(tables) = written {
        streams.wake(tables.as_deref());
    }
    match answered {
        Ok(response) => {
            let (head, body) = response.into_parts();
            let body = http::read(body, usize::MAX).await.unwrap_or_default();
            let answer = serde_json::from_slice(&body).unwrap_or_default();
            units.add(consumed(operation, items, &answer));
            Response::from_parts(head, Body::from(body))
        }
        Err(error) => {
            log.function("dynamodb", &error);
            let body = json!({ "__type": "com.amazonaws.dynamodb.v20120810#InternalServerError" });
            aws_json(StatusCode::INTERNAL_SERVER_ERROR, "application/x-amz-json-1.0", &body)
        }
    }
}

fn is_write(operation: &str) -> bool {
    matches!(
        operation,
        "PutItem"
            | "UpdateItem"
            | "DeleteItem"
            | "BatchWriteItem"
            | "TransactWriteItems"
            | "ExecuteStatement"
            | "BatchExecuteStatement"
            | "ExecuteTransaction"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_in_requests_of_every_shape() {
        for (body, expected) in [
            (r#"{"TableName":"users","Key":{"id":{"S":"1"}}}"#, Some("users")),
            (r#"{"RequestItems":{"b":{"Keys":[]},"a":{"Keys":[]}}}"#, Some("a,b")),
            (
                r#"{"TransactItems":[{"Put":{"TableName":"b","Item":{}}},{"Update":{"TableName":"a"}}]}"#,
                Some("a,b"),
            ),
            (r#"{"Limit":1}"#, None),
            ("not json", None),
        ] {
            assert_eq!(tables(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn consumed_capacity_is_counted_in_read_and_write_units() {
        for (operation, items, answer, read, write) in [
            ("GetItem", 0, json!({ "ConsumedCapacity": { "CapacityUnits": 1.0 } }), 1.0, 0.0),
            (
                "BatchGetItem",
                0,
                json!({ "ConsumedCapacity": [{ "CapacityUnits": 1.0 }, { "CapacityUnits": 2.0 }] }),
                3.0,
                0.0,
            ),
            ("PutItem", 0, json!({ "ConsumedCapacity": { "CapacityUnits": 2.0 } }), 0.0, 2.0),
            (
                "PutItem",
                0,
                json!({ "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException" }),
                0.0,
                1.0,
            ),
            (
                "TransactWriteItems",
                3,
                json!({ "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException" }),
                0.0,
                6.0,
            ),
            ("Query", 0, json!({ "__type": "…#ValidationException" }), 0.0, 0.0),
        ] {
            let consumed = consumed(operation, items, &answer);
            assert_eq!((consumed.read, consumed.write), (read, write), "{operation} {answer}");
        }
    }

    #[test]
    fn each_operation_requires_permissions_for_its_tables() {
        for (operation, body, expected) in [
            ("GetItem", r#"{"TableName":"users"}"#, &["GetItem table/users"][..]),
            ("Query", r#"{"TableName":"users","IndexName":"mail"}"#, &["Query table/users/index/mail"]),
            (
                "BatchGetItem",
                r#"{"RequestItems":{"b":{},"a":{}}}"#,
                &["BatchGetItem table/a", "BatchGetItem table/b"],
            ),
            (
                "TransactWriteItems",
                r#"{"TransactItems":[{"Put":{"TableName":"b"}},{"ConditionCheck":{"TableName":"a"}},{"Delete":{}}]}"#,
                &["PutItem table/b", "ConditionCheckItem table/a", "DeleteItem *"],
            ),
            ("ListTables", r#"{"Limit":1}"#, &["ListTables *"]),
            ("GetItem", "not json", &["GetItem *"]),
        ] {
            let arn = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:");
            let needs = needs(operation, body.as_bytes());
            let shown: Vec<_> = needs
                .iter()
                .map(|need| format!("{} {}", need.action, need.resources.join(" ")))
                .map(|need| need.replace("dynamodb:", "").replace(&arn.replace("dynamodb:", ""), ""))
                .collect();
            assert_eq!(shown, expected, "{operation} {body}");
        }
    }
}
