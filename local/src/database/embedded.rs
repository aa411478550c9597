//! The embedded DynamoDB engine. Code outside this file does not depend on it, except for its clock's trait. Functions
//! that are not `async` block.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Request, Response, Uri, header};
use dynoxide::storage::Storage;
use futures_util::FutureExt as _;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::LocalClock;
use crate::template::{REGION, Table};

/// The engine, its HTTP server on its own port, and a client for it.
pub(crate) struct Embedded {
    engine: dynoxide::Database,
    /// A database on disk always reads real time, so its sweep uses a second connection that has the local clock.
    sweeper: Option<Mutex<Storage>>,
    /// Held for reading by every call, for writing by a sweep of a database on disk.
    gate: tokio::sync::RwLock<()>,
    /// For the offset between a record's own time and the local clock.
    clock: Arc<LocalClock>,
    address: Uri,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Embedded {
    /// Opens the engine: in memory, or the file at `path`.
    pub(super) fn open(
        path: Option<&Path>,
        tables: &[Table],
        clock: Arc<LocalClock>,
        stop: CancellationToken,
        tasks: &TaskTracker,
    ) -> Result<Self, String> {
        let engine = match path {
            None => dynoxide::Database::memory_with_clock(Arc::clone(&clock) as _),
            Some(path) => dynoxide::Database::new(&path.to_string_lossy()),
        };
        let engine = engine.map_err(|error| format!("cannot open the database: {error}"))?;
        for table in tables {
            create(&engine, table).map_err(|error| format!("cannot create the table {}: {error}", table.logical_id))?;
        }
        let sweeper = match path {
            None => None,
            Some(path) => {
                let storage = Storage::new(&path.to_string_lossy())
                    .map_err(|error| format!("cannot open the database a second time: {error}"))?;
                Some(Mutex::new(storage.with_clock(Arc::clone(&clock) as _)))
            }
        };
        let address =
            serve(engine.clone(), stop, tasks).map_err(|error| format!("cannot serve the database: {error}"))?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self {
            engine,
            sweeper,
            gate: tokio::sync::RwLock::new(()),
            clock,
            address,
            client,
        })
    }

    /// Passes a request on to the engine's own HTTP server.
    pub(super) async fn forward(&self, head: Parts, body: Bytes) -> Result<Response<Body>, String> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = head.method;
        *request.uri_mut() = self.address.clone();
        *request.headers_mut() = head.headers;
        // The connection to the engine is a different one.
        for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::HOST] {
            request.headers_mut().remove(name);
        }
        // A sweep of a database on disk writes through a second connection and must not overlap a write.
        let _open = self.gate.read().await;
        let answered = self.client.request(request).await;
        let answered = answered.map_err(|error| format!("the embedded engine did not answer: {error}"))?;
        Ok(answered.map(Body::new))
    }

    /// Blocks calls while a sweep writes beside the engine.
    pub(super) async fn closed(&self) -> Option<tokio::sync::RwLockWriteGuard<'_, ()>> {
        match &self.sweeper {
            Some(_) => Some(self.gate.write().await),
            None => None,
        }
    }

    /// Deletes rows that have expired by the local clock; returns their number.
    pub(super) fn sweep(&self) -> Result<usize, String> {
        let swept = match &self.sweeper {
            None => self.engine.sweep_ttl(),
            Some(storage) => {
                let storage = storage.lock().map_err(|_| "an earlier sweep failed half way".to_owned())?;
                dynoxide::ttl::sweep_expired_items(&*storage)
                    .now_or_never()
                    .expect("the engine's futures never wait: it is synchronous underneath")
            }
        };
        swept.map_err(|error| error.to_string())
    }

    /// Deletes a table's stream records up to the sequence number `reached`, in a database on disk: there they would
    /// accumulate, and every write to a table with a stream scans them all.
    pub(super) fn trim(&self, table: &Table, reached: &str) -> Result<(), String> {
        let (Some(storage), Some(reached)) = (&self.sweeper, stored(reached)) else {
            return Ok(());
        };
        let storage = storage.lock().map_err(|_| "an earlier sweep failed half way".to_owned())?;
        // A table's name has only letters, digits and `_.-`: the engine has validated it.
        let statement = format!(
            "DELETE FROM _stream_records WHERE table_name = '{}' AND CAST(sequence_number AS INTEGER) <= {reached}",
            table.name
        );
        storage.conn().execute_batch(&statement).map_err(|error| error.to_string())
    }

    pub(super) fn rows(&self, table: &str) -> Result<Vec<Value>, String> {
        let mut rows = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut request = json!({ "TableName": table, "ConsistentRead": true });
            if !start.is_null() {
                request["ExclusiveStartKey"] = start;
            }
            let answer = self.engine.scan(from(request)?).map_err(|error| error.to_string())?;
            let mut answer = serde_json::to_value(answer).map_err(|error| error.to_string())?;
            if let Value::Array(items) = answer["Items"].take() {
                rows.extend(items);
            }
            start = answer["LastEvaluatedKey"].take();
            if start.is_null() {
                return Ok(rows);
            }
        }
    }

    pub(super) fn records(&self, table: &Table, after: Option<&str>, limit: usize) -> Result<Vec<Value>, String> {
        let streams = self.engine.list_streams(from(json!({ "TableName": table.name }))?);
        let streams = streams.map_err(|error| error.to_string())?;
        let Some(stream) = streams.streams.first() else {
            return Ok(Vec::new());
        };
        let mut request = json!({
            "StreamArn": stream.stream_arn,
            "ShardId": dynoxide::streams::shard_id(&table.name),
            "ShardIteratorType": if after.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" },
        });
        if let Some(after) = after {
            request["SequenceNumber"] = after.into();
        }
        let iterator = self.engine.get_shard_iterator(from(request)?).map_err(|error| error.to_string())?;
        let request = json!({ "ShardIterator": iterator.shard_iterator, "Limit": limit });
        let answer = self.engine.get_records(from(request)?).map_err(|error| error.to_string())?;
        answer.records.iter().map(|record| self.as_event(record, table)).collect()
    }

    fn as_event(&self, record: &dynoxide::actions::get_records::Record, table: &Table) -> Result<Value, String> {
        let mut event = serde_json::to_value(record).map_err(|error| error.to_string())?;
        event["awsRegion"] = REGION.into();
        event["eventSourceARN"] = table.stream_arn.clone().into();
        let created = &mut event["dynamodb"]["ApproximateCreationDateTime"];
        let mut seconds = created.as_f64().map_or(0, whole_seconds);
        if self.sweeper.is_some() && record.user_identity.is_none() {
            seconds += self.clock.offset();
        }
        *created = seconds.into();
        Ok(event)
    }
}

/// The engine's own form of a sequence number: without the padding to 21 digits.
fn stored(sequence_number: &str) -> Option<u64> {
    let number: u128 = sequence_number.parse().ok()?;
    number.checked_sub(10_u128.pow(20))?.try_into().ok()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds since 1970, stored as a float"
)]
fn whole_seconds(seconds: f64) -> u64 {
    seconds.max(0.0) as u64
}

fn from<T: for<'de> Deserialize<'de>>(request: Value) -> Result<T, String> {
    serde_json::from_value(request).map_err(|error| error.to_string())
}

/// Creates the table, or updates the one in the database on disk to the template.
fn create(engine: &dynoxide::Database, table: &Table) -> Result<(), String> {
    let existing = engine.get_table_metadata(&table.name).map_err(|error| error.to_string())?;
    let Some(existing) = existing else {
        engine.create_table(from(table.create.clone())?).map_err(|error| error.to_string())?;
        return match &table.ttl_attribute {
            Some(attribute) => set_ttl(engine, table, attribute, true),
            None => Ok(()),
        };
    };
    let differs = |what: &str| {
        Err(format!("the data directory holds it with other {what}; give another directory or delete that one"))
    };
    let stored = |text: Option<&str>| text.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let keys = (stored(Some(&existing.key_schema)), stored(Some(&existing.attribute_definitions)));
    let wanted = (&table.create["KeySchema"], &table.create["AttributeDefinitions"]);
    if keys.0.as_ref() != Some(wanted.0) || attributes(keys.1.as_ref()) != attributes(Some(wanted.1)) {
        return differs("keys");
    }
    for (kind, found) in [
        ("GlobalSecondaryIndexes", existing.gsi_definitions.as_deref()),
        ("LocalSecondaryIndexes", existing.lsi_definitions.as_deref()),
    ] {
        if indexes(stored(found).as_ref()) != indexes(table.create.get(kind)) {
            return differs("indexes");
        }
    }
    let ttl = existing.ttl_attribute.as_deref().filter(|_| existing.ttl_enabled);
    if ttl != table.ttl_attribute.as_deref() {
        // The engine, like DynamoDB, does not change the attribute of an enabled TTL.
        if let Some(attribute) = ttl {
            set_ttl(engine, table, attribute, false)?;
        }
        if let Some(attribute) = &table.ttl_attribute {
            set_ttl(engine, table, attribute, true)?;
        }
    }
    let view = existing.stream_view_type.as_deref().filter(|_| existing.stream_enabled);
    let stream = table.create.get("StreamSpecification");
    if view != stream.and_then(|stream| stream["StreamViewType"].as_str()) {
        let off = json!({ "StreamEnabled": false });
        let request = json!({ "TableName": table.name, "StreamSpecification": stream.unwrap_or(&off) });
        engine.update_table(from(request)?).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn set_ttl(engine: &dynoxide::Database, table: &Table, attribute: &str, enabled: bool) -> Result<(), String> {
    let request = json!({
        "TableName": table.name,
        "TimeToLiveSpecification": { "AttributeName": attribute, "Enabled": enabled },
    });
    engine.update_time_to_live(from(request)?).map(drop).map_err(|error| error.to_string())
}

/// The type of each key attribute by name: their order has no meaning.
fn attributes(definitions: Option<&Value>) -> BTreeMap<String, Value> {
    list(definitions)
        .map(|definition| (text(&definition["AttributeName"]), definition["AttributeType"].clone()))
        .collect()
}

/// The identity of indexes, by name: keys, the kind of projection, the projected attributes.
fn indexes(definitions: Option<&Value>) -> BTreeMap<String, (Value, Value, BTreeSet<String>)> {
    list(definitions)
        .map(|index| {
            let projection = &index["Projection"];
            let named = list(projection.get("NonKeyAttributes")).map(text).collect();
            let what = (index["KeySchema"].clone(), projection["ProjectionType"].clone(), named);
            (text(&index["IndexName"]), what)
        })
        .collect()
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Serves the engine from its own thread, because it blocks while it works.
fn serve(engine: dynoxide::Database, stop: CancellationToken, tasks: &TaskTracker) -> std::io::Result<Uri> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _inside = runtime.enter();
        let socket = TcpSocket::new_v4()?;
        // Accepted connections inherit it from the listening socket; the engine's server does not set it.
        socket.set_nodelay(true)?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        socket.listen(1024)?
    };
    let address = format!("http://{}/", listener.local_addr()?);
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::Builder::new().name("dynamodb".to_owned()).spawn(move || {
        // It ends only by the stop signal, when an error can no longer be reported.
        let _ = runtime.block_on(dynoxide::server::serve_with_shutdown(listener, engine, stop.cancelled_owned()));
        drop(runtime);
        drop(ended);
    })?;
    tasks.spawn(async move {
        let _ = end.await;
    });
    Ok(address.parse().expect("an address and a port make a URI"))
}
