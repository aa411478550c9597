//! DynamoDB: bytes pass through to the embedded engine, unchanged.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode, header};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::aws_json;
use crate::cloud::Inner;

/// The parts of a request that name tables.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "TableName")]
    table: Option<String>,
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

/// The table a request names; several in alphabetical order, with commas between them.
pub(super) fn tables(body: &[u8]) -> Option<String> {
    let named: Named = serde_json::from_slice(body).ok()?;
    let mut tables: BTreeSet<String> = named.batch.into_keys().collect();
    tables.extend(named.table);
    tables.extend(
        named
            .transaction
            .into_iter()
            .flatten()
            .filter_map(|(_, target)| target.table),
    );
    (!tables.is_empty()).then(|| tables.into_iter().collect::<Vec<_>>().join(","))
}

/// Passes the call on to the engine.
pub(super) async fn forward(inner: &Arc<Inner>, operation: &str, head: Parts, body: Bytes) -> Response<Body> {
    let written = is_write(operation).then(|| tables(&body));
    let mut request = Request::new(http_body_util::Full::new(body));
    *request.method_mut() = head.method;
    *request.uri_mut() = inner.database.address().clone();
    *request.headers_mut() = head.headers;
    // The connection to the engine is another one.
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::HOST] {
        request.headers_mut().remove(name);
    }
    // A sweep of a database on disk writes through a second connection and must not meet a write half way.
    let _open = inner.database.gate().read().await;
    let answered = inner.database.client().request(request).await;
    if let Some(tables) = written {
        inner.streams.wake(tables.as_deref());
    }
    match answered {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            inner
                .log
                .function("dynamodb", &format!("the embedded engine did not answer: {error}"));
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
    fn the_tables_of_every_shape_of_request() {
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
}
