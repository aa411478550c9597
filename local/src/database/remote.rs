//! Tables on another server, through DynamoDB's own API only. Rows expire by our own sweep, because the server's clock
//! is not the local one, and the tables' streams report only what a sweep removed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::Response;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};

use crate::aws::Service;
use crate::clock::LocalClock;
use crate::random;
use crate::server::Server;
use crate::template::{REGION, Table};

/// The tables of one cloud.
#[derive(Debug)]
pub(crate) struct Remote {
    server: Arc<Server>,
    tables: Vec<Table>,
    clock: Arc<LocalClock>,
    /// The rows that sweeps removed, by the table's name, as a Lambda event has them.
    removed: Mutex<BTreeMap<String, Vec<Value>>>,
    /// The last sequence number. Numbers start with the time of the start, so those after a restart sort later.
    last: AtomicU64,
}

impl Remote {
    /// Creates the tables, unless an earlier start of the same cloud has created them.
    pub(super) async fn open(server: Arc<Server>, tables: &[Table], clock: Arc<LocalClock>) -> Result<Self, String> {
        for table in tables {
            let mut create = table.create.clone();
            if let Some(create) = create.as_object_mut() {
                // No reader: see above.
                create.remove("StreamSpecification");
            }
            if let Err(refused) = server.dynamodb("CreateTable", &create).await
                && refused.name != "ResourceInUseException"
            {
                let error = String::from(refused);
                return Err(format!("cannot create the table {}: {error}", table.logical_id));
            }
        }
        Ok(Self {
            server,
            tables: tables.to_vec(),
            last: AtomicU64::new(clock.millis() * 1000),
            clock,
            removed: Mutex::default(),
        })
    }

    pub(super) async fn forward(&self, head: Parts, body: Bytes) -> Result<Response<Body>, String> {
        let answered = self.server.pass(Service::DynamoDb, head, body).await?;
        Ok(answered.map(Body::new))
    }

    pub(super) async fn rows(&self, table: &Table) -> Result<Vec<Value>, String> {
        self.scan(json!({ "TableName": table.name, "ConsistentRead": true })).await
    }

    /// Deletes each row separately, on condition that it is still expired.
    pub(super) async fn sweep(&self) -> Result<usize, String> {
        let mut deleted = 0;
        for table in &self.tables {
            let Some(attribute) = &table.ttl_attribute else {
                continue;
            };
            let over = |mut request: Value, condition: &str| {
                request["TableName"] = table.name.clone().into();
                request[condition] = "#ttl <= :now".into();
                request["ExpressionAttributeNames"] = json!({ "#ttl": attribute });
                request["ExpressionAttributeValues"] = json!({ ":now": { "N": self.clock.seconds().to_string() } });
                request
            };
            for row in self.scan(over(json!({ "ConsistentRead": true }), "FilterExpression")).await? {
                let key = key(table, &row);
                let delete = over(json!({ "Key": key, "ReturnValues": "ALL_OLD" }), "ConditionExpression");
                match self.server.dynamodb("DeleteItem", &delete).await {
                    Ok(answer) => {
                        deleted += 1;
                        self.remember(table, key, &answer["Attributes"]);
                    }
                    // Another sweep deleted it first, or its expiry was extended.
                    Err(refused) if refused.name == "ConditionalCheckFailedException" => {}
                    Err(refused) => return Err(refused.into()),
                }
            }
        }
        Ok(deleted)
    }

    fn remember(&self, table: &Table, key: Value, old: &Value) {
        let Some(arn) = &table.stream_arn else { return };
        let view = table.create["StreamSpecification"]["StreamViewType"].clone();
        let mut change = json!({
            "ApproximateCreationDateTime": self.clock.seconds(),
            "Keys": key,
            "SequenceNumber": format!("{:021}", self.last.fetch_add(1, Ordering::SeqCst) + 1),
            "SizeBytes": old.to_string().len(),
            "StreamViewType": view,
        });
        if view.as_str().is_some_and(|view| view.contains("OLD")) {
            change["OldImage"] = old.clone();
        }
        let record = json!({
            "eventID": random::hex(),
            "eventName": "REMOVE",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": change,
            "userIdentity": { "type": "Service", "principalId": "dynamodb.amazonaws.com" },
            "eventSourceARN": arn,
        });
        let mut removed = self.removed.lock().expect("no holder of this lock panics");
        removed.entry(table.name.clone()).or_default().push(record);
    }

    pub(super) fn records(&self, table: &Table, after: Option<&str>, limit: usize) -> Vec<Value> {
        let removed = self.removed.lock().expect("no holder of this lock panics");
        let all = removed.get(&table.name).into_iter().flatten();
        // Sequence numbers have the same length, so they compare as texts.
        all.filter(|record| record["dynamodb"]["SequenceNumber"].as_str() > after)
            .take(limit)
            .cloned()
            .collect()
    }

    pub(super) async fn clear(&self) {
        for table in &self.tables {
            // If the deletion fails, the leftover table is unused and harmless.
            let _ = self.server.dynamodb("DeleteTable", &json!({ "TableName": table.name })).await;
        }
    }

    async fn scan(&self, mut request: Value) -> Result<Vec<Value>, String> {
        let mut rows = Vec::new();
        loop {
            let mut answer = self.server.dynamodb("Scan", &request).await?;
            if let Value::Array(items) = answer["Items"].take() {
                rows.extend(items);
            }
            match answer["LastEvaluatedKey"].take() {
                Value::Null => return Ok(rows),
                last => request["ExclusiveStartKey"] = last,
            }
        }
    }
}

/// The key of a row.
fn key(table: &Table, row: &Value) -> Value {
    let schema = table.create["KeySchema"].as_array().into_iter().flatten();
    let names = schema.filter_map(|part| part["AttributeName"].as_str());
    Value::Object(names.map(|name| (name.to_owned(), row[name].clone())).collect::<Map<_, _>>())
}
