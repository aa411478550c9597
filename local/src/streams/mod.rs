//! DynamoDB streams: delivers records to the functions that the template subscribes to them.

mod filter;
mod subscriptions;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) use filter::Filter;
pub(crate) use subscriptions::Streams;

use self::subscriptions::Subscription;
use crate::state::Inner;
use crate::template::StreamMapping;

/// How long records of one burst of writes are gathered before delivery.
const GATHER: Duration = Duration::from_millis(50);
/// The pause before a batch is retried.
const PAUSE: Duration = Duration::from_millis(50);
/// Retries in place of the endless ones that Lambda makes by default, for up to a day.
const RETRIES_INSTEAD_OF_A_DAY: u32 = 10;

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

/// Deletes expired rows and delivers the resulting stream records; returns the number of rows.
pub(crate) async fn sweep(inner: &Arc<Inner>) -> Result<usize, String> {
    let done = inner.streams.done().into_iter();
    let done = done.map(|(table, reached)| (inner.template.tables[table].clone(), reached));
    let deleted = inner.database.sweep(done.collect()).await?;
    deliver_where(inner, |_| true).await;
    Ok(deleted)
}

async fn deliver_where(inner: &Arc<Inner>, wanted: impl Fn(&Subscription) -> bool) {
    for (index, subscription) in inner.streams.subscriptions.iter().enumerate() {
        if !wanted(subscription) {
            continue;
        }
        // Before the read: a write meanwhile may be missed, and causes another read.
        subscription.written.store(false, Ordering::SeqCst);
        if let Err(error) = deliver(inner, index).await {
            inner
                .log
                .function(&inner.streams.subscriptions[index].name, &format!("its stream cannot be read: {error}"));
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

/// Delivers a batch as the template says: retried, split in halves, or given up.
async fn deliver_batch(inner: &Arc<Inner>, mapping: &StreamMapping, batch: Vec<Value>) {
    let allowed = mapping.retries.unwrap_or(RETRIES_INSTEAD_OF_A_DAY);
    // Parts of the batch in order, with the number of attempts of each.
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
            // The resource's name is enough for a human reader.
            let target = mapping.on_failure.as_deref().and_then(|arn| arn.rsplit(':').next());
            let destination = target.map_or_else(String::new, |target| format!(", and {target} gets a record of it"));
            let line =
                format!("a batch of {count} from {sequence} on was dropped after {allowed} retries{destination}");
            inner.log.function(name, &line);
        } else {
            parts.push((failed, tries + 1));
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Runs the function on a batch. The error is the index of the first failed record.
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
    record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned()
}
