//! Batches that were given up: what Lambda sends to the destination for failures, and the records themselves.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde::Serialize;
use serde_json::{Value, json};

use super::sequence_number;
use crate::random;
use crate::state::Inner;
use crate::template::StreamMapping;

/// A long-running cloud keeps only the newest dead letters.
const KEPT: usize = 1000;

/// One batch that was given up.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DeadLetter {
    function: String,
    /// The ARN of the destination that the template names; `null` if it names none.
    destination: Option<String>,
    /// What Lambda sends there. It names the records, and does not contain them.
    message: Value,
    records: Vec<Value>,
}

/// The dead letters since the list was last cleared, oldest first.
#[derive(Debug, Default)]
pub(crate) struct DeadLetters(Mutex<VecDeque<DeadLetter>>);

impl DeadLetters {
    /// Adds a batch, which is not empty, after so many attempts.
    pub(super) fn add(&self, inner: &Inner, mapping: &StreamMapping, attempts: u32, records: Vec<Value>) {
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
        let mut all = self.all();
        if all.len() == KEPT {
            all.pop_front();
        }
        all.push_back(DeadLetter {
            function: lambda.name().to_owned(),
            destination: mapping.on_failure.clone(),
            message,
            records,
        });
    }

    pub(crate) fn list(&self) -> Vec<DeadLetter> {
        self.all().iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.all().clear();
    }

    fn all(&self) -> std::sync::MutexGuard<'_, VecDeque<DeadLetter>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}
