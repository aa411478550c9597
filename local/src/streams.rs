//! DynamoDB streams: records go to the functions that the template subscribes to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Mutex, Notify};

use crate::cloud::Inner;
use crate::template::StreamMapping;

/// Records of one burst of writes are gathered for so long before they are delivered.
const GATHER: Duration = Duration::from_millis(50);
/// The pause before a batch is tried again.
const PAUSE: Duration = Duration::from_millis(50);
/// Tries in place of the endless ones that Lambda makes by default: here nobody waits a day.
const RETRIES_INSTEAD_OF_A_DAY: u32 = 10;

/// The subscriptions and how far each has come.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    subscriptions: Vec<Subscription>,
    written: Notify,
}

#[derive(Debug)]
struct Subscription {
    mapping: StreamMapping,
    /// `cleanup/countersign-PinsTable`.
    name: String,
    /// The sequence number of the last record that is done with. Locked while a batch is under way.
    position: Mutex<Option<String>>,
    /// The same, readable at any time, for the data directory.
    reached: std::sync::Mutex<Option<String>>,
    /// Its table's name, and whether that was written to since the stream was last read: to read one means to look through
    /// all there are.
    table: String,
    written: AtomicBool,
}

impl Streams {
    /// The template's subscriptions, each from where `reached` says.
    pub(crate) fn new(template: &crate::template::Template, reached: &BTreeMap<String, String>) -> Self {
        let subscriptions = template.streams.iter().map(|mapping| {
            let (function, table) = (&template.functions[mapping.function], &template.tables[mapping.table]);
            let name = format!("{}/{}", function.name, table.name);
            let position = reached.get(&name).cloned();
            Subscription {
                mapping: mapping.clone(),
                name,
                position: Mutex::new(position.clone()),
                reached: std::sync::Mutex::new(position),
                table: table.name.clone(),
                written: AtomicBool::new(true),
            }
        });
        Self {
            subscriptions: subscriptions.collect(),
            written: Notify::new(),
        }
    }

    /// Something was written to these tables, with commas between them; to any when it is not known to which.
    pub(crate) fn wake(&self, tables: Option<&str>) {
        let mut any = false;
        for subscription in &self.subscriptions {
            let named = |tables: &str| tables.split(',').any(|table| table == subscription.table);
            if tables.is_none_or(named) {
                subscription.written.store(true, Ordering::SeqCst);
                any = true;
            }
        }
        if any {
            self.written.notify_one();
        }
    }

    /// How far all subscriptions of each table have come, by its place in the template.
    pub(crate) fn done(&self) -> Vec<(usize, String)> {
        let mut done: BTreeMap<usize, Option<String>> = BTreeMap::new();
        for subscription in &self.subscriptions {
            let reached = subscription
                .reached
                .lock()
                .expect("no holder of this lock panics")
                .clone();
            // All have the same number of digits. One that has not begun needs every record.
            done.entry(subscription.mapping.table)
                .and_modify(|least| *least = least.take().min(reached.clone()))
                .or_insert(reached);
        }
        done.into_iter()
            .filter_map(|(table, reached)| Some((table, reached?)))
            .collect()
    }

    /// How far each subscription has come, by name.
    pub(crate) fn reached(&self) -> BTreeMap<String, String> {
        let reached = self.subscriptions.iter().filter_map(|subscription| {
            let position = subscription
                .reached
                .lock()
                .expect("no holder of this lock panics")
                .clone()?;
            Some((subscription.name.clone(), position))
        });
        reached.collect()
    }
}

/// Delivers records as they are written, until the cloud stops.
pub(crate) async fn follow(inner: Arc<Inner>) {
    if inner.streams.subscriptions.is_empty() {
        return;
    }
    loop {
        deliver_where(&inner, |subscription| subscription.written.load(Ordering::SeqCst)).await;
        tokio::select! {
            () = inner.stop.cancelled() => return,
            () = inner.streams.written.notified() => {}
        }
        tokio::time::sleep(GATHER).await;
    }
}

/// Delivers every record that there is now.
pub(crate) async fn deliver_all(inner: &Arc<Inner>) {
    deliver_where(inner, |_| true).await;
}

async fn deliver_where(inner: &Arc<Inner>, wanted: impl Fn(&Subscription) -> bool) {
    for (index, subscription) in inner.streams.subscriptions.iter().enumerate() {
        if !wanted(subscription) {
            continue;
        }
        // Before it is read: what is written meanwhile may be missed, and is looked for again.
        subscription.written.store(false, Ordering::SeqCst);
        if let Err(error) = deliver(inner, index).await {
            inner.log.function(
                &inner.streams.subscriptions[index].name,
                &format!("its stream cannot be read: {error}"),
            );
        }
    }
}

async fn deliver(inner: &Arc<Inner>, index: usize) -> Result<(), String> {
    let subscription = &inner.streams.subscriptions[index];
    let mut position = subscription.position.lock().await;
    while !inner.stop.is_cancelled() {
        let mapping = &subscription.mapping;
        let records = {
            let table = &inner.template.tables[mapping.table];
            let read = inner.database.records(table, position.clone(), mapping.batch_size);
            read.await?
        };
        let Some(last) = records.last().map(sequence_number) else {
            return Ok(());
        };
        let wanted =
            |record: &Value| mapping.filters.is_empty() || mapping.filters.iter().any(|filter| filter.matches(record));
        let batch: Vec<Value> = records.into_iter().filter(wanted).collect();
        if !batch.is_empty() {
            deliver_batch(inner, mapping, batch).await;
        }
        *position = Some(last.clone());
        *subscription.reached.lock().expect("no holder of this lock panics") = Some(last);
        inner.save();
    }
    Ok(())
}

/// Delivers a batch as the template says: again and again, in halves, or given up.
async fn deliver_batch(inner: &Arc<Inner>, mapping: &StreamMapping, batch: Vec<Value>) {
    let allowed = mapping.retries.unwrap_or(RETRIES_INSTEAD_OF_A_DAY);
    // Parts of the batch in order, with the tries that each has behind it.
    let mut parts = vec![(batch, 0)];
    while let Some((part, tries)) = parts.pop() {
        let failed = match run(inner, mapping, &part).await {
            Ok(()) => continue,
            Err(first_failed) => part[first_failed..].to_vec(),
        };
        if inner.stop.is_cancelled() {
            return;
        }
        let name = &inner.template.functions[mapping.function].name;
        if mapping.bisect && failed.len() > 1 {
            let second = failed[failed.len() / 2..].to_vec();
            let first = failed[..failed.len() / 2].to_vec();
            parts.push((second, tries));
            parts.push((first, tries));
        } else if tries >= allowed {
            let (count, sequence) = (failed.len(), sequence_number(&failed[0]));
            // The resource's name is enough for a person.
            let target = mapping.on_failure.as_deref().and_then(|arn| arn.rsplit(':').next());
            let told = target.map_or_else(String::new, |target| format!(", and {target} is told of it"));
            let line = format!("a batch of {count} from {sequence} on was dropped after {allowed} retries{told}");
            inner.log.function(name, &line);
        } else {
            parts.push((failed, tries + 1));
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Runs the function on a batch. The error is the index of the first record that is not done.
async fn run(inner: &Arc<Inner>, mapping: &StreamMapping, batch: &[Value]) -> Result<(), usize> {
    let payload = json!({ "Records": batch }).to_string();
    let finished = inner.run(mapping.function, None, payload.into()).await;
    let Ok(body) = finished.result else { return Err(0) };
    if !mapping.reports_failures {
        return Ok(());
    }
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(failures) = answer["batchItemFailures"].as_array() else {
        return Ok(());
    };
    let indexes: Option<Vec<usize>> = failures
        .iter()
        .map(|failure| {
            let id = failure["itemIdentifier"].as_str()?;
            batch.iter().position(|record| sequence_number(record) == id)
        })
        .collect();
    match indexes {
        // An identifier that is empty or unknown fails the whole batch.
        None => Err(0),
        Some(indexes) => indexes.into_iter().min().map_or(Ok(()), Err),
    }
}

fn sequence_number(record: &Value) -> String {
    record["dynamodb"]["SequenceNumber"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// One `FilterCriteria` pattern: an object whose leaves are lists of allowed values, `null`, `{"exists": …}` or
/// `{"prefix": …}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filter(Value);

impl Filter {
    /// Reads a pattern and refuses the conditions that are not known here.
    pub(crate) fn parse(pattern: &str) -> Result<Self, String> {
        let pattern: Value =
            serde_json::from_str(pattern).map_err(|error| format!("the pattern {pattern} is not JSON: {error}"))?;
        check(&pattern)?;
        Ok(Self(pattern))
    }

    pub(crate) fn matches(&self, record: &Value) -> bool {
        fits(&self.0, Some(record))
    }
}

fn check(pattern: &Value) -> Result<(), String> {
    match pattern {
        Value::Object(entries) => entries.values().try_for_each(check),
        Value::Array(allowed) => allowed.iter().try_for_each(|one| match one {
            Value::Object(test) if !test.keys().all(|key| key == "exists" || key == "prefix") => {
                Err(format!("the condition {one} is not known here"))
            }
            Value::Array(_) => Err(format!("the condition {one} is not known here")),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Ok(()),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(format!("a pattern's leaves are lists, not {pattern}"))
        }
    }
}

fn fits(pattern: &Value, found: Option<&Value>) -> bool {
    match pattern {
        Value::Object(entries) => entries.iter().all(|(key, inner)| fits(inner, found.and_then(|found| found.get(key)))),
        Value::Array(allowed) => allowed.iter().any(|one| match one {
            Value::Object(test) => match (test.get("exists"), test.get("prefix")) {
                (Some(exists), _) => exists.as_bool() == Some(found.is_some()),
                (None, Some(prefix)) => {
                    matches!((found.and_then(Value::as_str), prefix.as_str()), (Some(text), Some(prefix)) if text.starts_with(prefix))
                }
                (None, None) => false,
            },
            plain => found == Some(plain),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_for_ttl_removals() {
        let pattern =
            r#"{"eventName":["REMOVE"],"userIdentity":{"type":["Service"],"principalId":["dynamodb.amazonaws.com"]}}"#;
        let filter = Filter::parse(pattern).expect("a pattern of AWS's own documentation");
        let ttl = json!({
            "eventName": "REMOVE",
            "userIdentity": { "type": "Service", "principalId": "dynamodb.amazonaws.com" },
        });
        assert!(filter.matches(&ttl));
        assert!(!filter.matches(&json!({ "eventName": "REMOVE" })));
        let prefix = Filter::parse(r#"{"dynamodb":{"Keys":{"pk":{"S":[{"prefix":"otp#"}]}}}}"#).expect("a prefix");
        assert!(prefix.matches(&json!({ "dynamodb": { "Keys": { "pk": { "S": "otp#1" } } } })));
        assert!(!prefix.matches(&json!({ "dynamodb": { "Keys": { "pk": { "S": "user#1" } } } })));
        assert!(Filter::parse(r#"{"a":[{"numeric":[">",1]}]}"#).is_err());
    }
}
