//! Tables on another server, through DynamoDB's own API only. Rows expire by our own sweep, because the server's clock
//! is not the local one. The tables' streams report what a sweep removed and, where they carry the new image, what
//! functions wrote: each row is read before its write and after it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::Response;
use axum::http::request::Parts;
use serde_json::{Value, json};

use super::written::{self, Row};
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
    /// The stream records, by the table's name, as a Lambda event has them.
    changed: Mutex<BTreeMap<String, Vec<Value>>>,
    /// The last sequence number. Numbers start with the time of the start, so those after a restart sort later.
    last: AtomicU64,
}

/// One row before a write and after it; `null` where there was none.
struct Change {
    key: Value,
    before: Value,
    after: Value,
    by_ttl: bool,
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
            changed: Mutex::default(),
        })
    }

    pub(super) async fn forward(&self, head: Parts, body: Bytes) -> Result<Response<Body>, String> {
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let rows = written::rows(operation, &body, &self.tables);
        let before = self.images(&rows).await?;
        let answered = self.server.pass(Service::DynamoDb, head, body).await?;
        if answered.status().is_success() {
            let after = self.images(&rows).await?;
            for ((row, before), after) in rows.into_iter().zip(before).zip(after) {
                let change = Change {
                    key: row.key,
                    before,
                    after,
                    by_ttl: false,
                };
                self.remember(row.table, change);
            }
        }
        Ok(answered.map(Body::new))
    }

    async fn images(&self, rows: &[Row<'_>]) -> Result<Vec<Value>, String> {
        let mut images = Vec::with_capacity(rows.len());
        for row in rows {
            let get = json!({ "TableName": row.table.name, "Key": row.key, "ConsistentRead": true });
            images.push(self.server.dynamodb("GetItem", &get).await?["Item"].take());
        }
        Ok(images)
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
                let key = written::key(table, &row);
                let delete = over(json!({ "Key": key, "ReturnValues": "ALL_OLD" }), "ConditionExpression");
                match self.server.dynamodb("DeleteItem", &delete).await {
                    Ok(mut answer) => {
                        deleted += 1;
                        let change = Change {
                            key,
                            before: answer["Attributes"].take(),
                            after: Value::Null,
                            by_ttl: true,
                        };
                        self.remember(table, change);
                    }
                    // Another sweep deleted it first, or its expiry was extended.
                    Err(refused) if refused.name == "ConditionalCheckFailedException" => {}
                    Err(refused) => return Err(refused.into()),
                }
            }
        }
        Ok(deleted)
    }

    fn remember(&self, table: &Table, change: Change) {
        let Some(arn) = &table.stream_arn else { return };
        let Change {
            key,
            before,
            after,
            by_ttl,
        } = change;
        let event = match (before.is_null(), after.is_null()) {
            (true, false) => "INSERT",
            (false, true) => "REMOVE",
            // A write that changes nothing has no record.
            _ if before == after => return,
            _ => "MODIFY",
        };
        let view = written::view(table);
        let mut change = json!({
            "ApproximateCreationDateTime": self.clock.seconds(),
            "Keys": key,
            "SizeBytes": before.to_string().len() + after.to_string().len(),
            "StreamViewType": view,
        });
        for (name, image, kind) in [("OldImage", before, "OLD"), ("NewImage", after, "NEW")] {
            if view.contains(kind) && !image.is_null() {
                change[name] = image;
            }
        }
        let mut record = json!({
            "eventID": random::hex(),
            "eventName": event,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": change,
            "eventSourceARN": arn,
        });
        if by_ttl {
            record["userIdentity"] = json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" });
        }
        let mut changed = self.changed.lock().expect("no holder of this lock panics");
        // Numbered under the lock: a reader that has passed a number never looks before it again.
        let number = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        record["dynamodb"]["SequenceNumber"] = format!("{number:021}").into();
        changed.entry(table.name.clone()).or_default().push(record);
    }

    pub(super) fn records(&self, table: &Table, after: Option<&str>, limit: usize) -> Vec<Value> {
        let changed = self.changed.lock().expect("no holder of this lock panics");
        let all = changed.get(&table.name).into_iter().flatten();
        // Sequence numbers have the same length, so they compare as texts.
        all.filter(|record| record["dynamodb"]["SequenceNumber"].as_str() > after)
            .take(limit)
            .cloned()
            .collect()
    }

    /// Forgets a table's stream records up to the sequence number `reached`.
    pub(super) fn trim(&self, table: &Table, reached: &str) {
        let mut changed = self.changed.lock().expect("no holder of this lock panics");
        if let Some(records) = changed.get_mut(&table.name) {
            records.retain(|record| record["dynamodb"]["SequenceNumber"].as_str() > Some(reached));
        }
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
