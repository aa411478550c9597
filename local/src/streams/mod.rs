//! DynamoDB streams: delivers records to the functions that the template subscribes to them.

mod dead_letters;
mod filter;
mod subscriptions;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Notify;

pub(crate) use filter::Filter;
pub(crate) use subscriptions::Streams;

use self::dead_letters::DeadLetter;
use self::subscriptions::Subscription;
use crate::random;
use crate::state::Inner;
use crate::template::StreamMapping;

/// How long records of one burst of writes are gathered before delivery.
const GATHER: Duration = Duration::from_millis(50);
/// The pause before a batch is retried.
const PAUSE: Duration = Duration::from_millis(50);
/// Retries in place of the endless ones that Lambda makes by default, for up to a day.
const RETRIES_INSTEAD_OF_A_DAY: u32 = 10;

/// Delivers records as they are written, until the cloud stops. Functions do not wait for each other: one that fails or
/// hangs is retried while the others get their records.
pub(crate) async fn follow(inner: Arc<Inner>) {
    let functions = inner.streams.written.iter();
    join_all(functions.map(|(function, written)| follow_one(&inner, *function, written))).await;
}

async fn follow_one(inner: &Arc<Inner>, function: usize, written: &Notify) {
    loop {
        deliver_to(inner, function, |subscription| subscription.written.load(Ordering::SeqCst)).await;
        tokio::select! {
            () = inner.stop.cancelled() => return,
            () = written.notified() => {}
        }
        tokio::time::sleep(GATHER).await;
    }
}

/// Deletes expired rows and delivers the resulting stream records; returns the number of rows.
pub(crate) async fn sweep(inner: &Arc<Inner>) -> Result<usize, String> {
    let done = inner.streams.done().into_iter();
    let done = done.map(|(table, reached)| (inner.template.tables[table].clone(), reached));
    let deleted = inner.database.sweep(done.collect()).await?;
    deliver_all(inner).await;
    Ok(deleted)
}

/// Delivers all records; returns once each was processed by its function or given up, those that functions have written
/// meanwhile included.
pub(crate) async fn deliver_all(inner: &Arc<Inner>) {
    loop {
        let functions = inner.streams.written.keys();
        let delivered = join_all(functions.map(|function| deliver_to(inner, *function, |_| true))).await;
        if !delivered.contains(&true) {
            return;
        }
    }
}

/// Skips all records that were written so far.
pub(crate) async fn pass_over(inner: &Arc<Inner>) -> Result<(), String> {
    const AT_ONCE: usize = 1000;
    for subscription in &inner.streams.subscriptions {
        let table = &inner.template.tables[subscription.mapping.table];
        let mut position = subscription.position.lock().await;
        while let Some(last) = inner.database.records(table, position.clone(), AT_ONCE).await?.last() {
            subscription.moved(&mut position, sequence_number(last));
        }
    }
    Ok(())
}

/// Delivers the records of a function's subscriptions, one after the other; returns whether there were any.
async fn deliver_to(inner: &Arc<Inner>, function: usize, wanted: impl Fn(&Subscription) -> bool) -> bool {
    let mut any = false;
    for subscription in &inner.streams.subscriptions {
        if subscription.mapping.function != function || !wanted(subscription) {
            continue;
        }
        // Before the read: a write meanwhile may be missed, and causes another read.
        subscription.written.store(false, Ordering::SeqCst);
        match deliver(inner, subscription).await {
            Ok(delivered) => any |= delivered,
            Err(error) => inner.log.function(&subscription.name, &format!("its stream cannot be read: {error}")),
        }
    }
    any
}

async fn deliver(inner: &Arc<Inner>, subscription: &Subscription) -> Result<bool, String> {
    let mut any = false;
    let mut position = subscription.position.lock().await;
    while !inner.stop.is_cancelled() {
        let mapping = &subscription.mapping;
        let records = {
            let table = &inner.template.tables[mapping.table];
            let read = inner.database.records(table, position.clone(), mapping.batch_size);
            read.await?
        };
        let Some(last) = records.last().map(sequence_number) else {
            break;
        };
        any = true;
        let wanted =
            |record: &Value| mapping.filters.is_empty() || mapping.filters.iter().any(|filter| filter.matches(record));
        let batch: Vec<Value> = records.into_iter().filter(wanted).collect();
        if !batch.is_empty() {
            deliver_batch(inner, mapping, batch).await;
        }
        subscription.moved(&mut position, last);
        inner.save();
    }
    Ok(any)
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
            inner.streams.dead_letters.add(dead_letter(inner, mapping, tries + 1, failed));
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

/// The dead letter of a batch, which is not empty, after so many attempts.
fn dead_letter(inner: &Inner, mapping: &StreamMapping, attempts: u32, records: Vec<Value>) -> DeadLetter {
    let lambda = &inner.functions[mapping.function];
    let (first, last) = (&records[0], &records[records.len() - 1]);
    let arrival = |record: &Value| record["dynamodb"]["ApproximateCreationDateTime"].clone();
    let message = json!({
        "version": "1.0",
        "timestamp": inner.clock.iso(),
        "requestContext": {
            "requestId": random::uuid(),
            "functionArn": lambda.blueprint.arn(),
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": attempts,
        },
        "DDBStreamBatchInfo": {
            "streamArn": inner.template.tables[mapping.table].stream_arn,
            "startSequenceNumber": sequence_number(first),
            "endSequenceNumber": sequence_number(last),
            "approximateArrivalOfFirstRecord": arrival(first),
            "approximateArrivalOfLastRecord": arrival(last),
            "batchSize": records.len(),
        },
    });
    DeadLetter {
        function: lambda.name().to_owned(),
        destination: mapping.on_failure.clone(),
        message,
        records,
    }
}

fn sequence_number(record: &Value) -> String {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned()
}
