use countersign_shared::{
    domain::{
        audit::{self, Event, Policy},
        crypto::secret::random_bytes,
    },
    fault::Fault,
    observe::{self, LogContext, Metric, Outcome},
    runtime::{edge::Wire, payload::Payload},
    start::Background,
    store::table::{Put, Table},
};
use rand::rngs::SysRng;
use serde_json::{Value, json};

use crate::record::{Record, Removal};

/// Records the sweep of expired rows by DynamoDB (TTL): one audit event and one metric for each row.
///
/// It can read and write no other table: a removal that is delivered late, when a new row exists under the same key,
/// cannot affect that row. Whether a row has expired is decided where it is read, by its `ttl`.
#[derive(Wire)]
pub struct Cleanup {
    pub audit: Table<Event, Put>,
    #[wire(audit_policy)]
    pub policy: Policy,
}

impl Background for Cleanup {
    /// Handles a batch record by record, and returns those that failed. Lambda continues from the earliest of them, so
    /// later ones may be delivered again: each removal is recorded only once.
    ///
    /// # Errors
    /// When the event is not a batch.
    async fn answer(&self, Payload(batch): Payload, request_id: &str) -> Result<Value, lambda_runtime::Error> {
        let batch = batch.map_err(|name| format!("the name {name:?} occurs twice"))?;
        let records = batch["Records"].as_array().ok_or("this is no batch of records")?;
        let mut failed = Vec::new();
        for (at, record) in records.iter().enumerate() {
            match Record::read(record) {
                Record::Other => {}
                // A retry would not help. The record goes to the dead-letter queue, and the ones after it are handled
                // now.
                Record::Malformed(what) => {
                    let fault = Fault::Corrupt(format!("a record has no good {what}"));
                    observe::failed(request_id, sequence_number(record), &fault);
                    failed.push(record);
                }
                Record::Removal(removal) => {
                    if let Err(fault) = self.record(&removal, request_id).await {
                        observe::failed(request_id, sequence_number(record), &fault);
                        // The store is unavailable, so the next records would fail as well.
                        failed.extend(&records[at..]);
                        break;
                    }
                }
            }
        }
        let failures = failed.iter().map(|record| json!({ "itemIdentifier": sequence_number(record) }));
        Ok(json!({ "batchItemFailures": failures.collect::<Vec<_>>() }))
    }
}

impl Cleanup {
    /// The audit event shows that a removal was recorded: only its writer logs the line. A process that crashes between
    /// the two leaves the event without its metric, never with two.
    async fn record(&self, removal: &Removal<'_>, request_id: &str) -> Result<(), Fault> {
        let subject = audit::pseudonym(removal.kind, &audit::subject(removal.kind, &removal.key));
        let attempt = random_bytes(&mut SysRng)?;
        let act = Outcome::Expired.of(subject);
        let event = Event::of_source(self.policy, act, &removal.source(), attempt, removal.at);
        if self.audit.put_new(&event, removal.at).await? {
            let context = LogContext {
                request_id,
                at: removal.at,
                event: Some(&event),
                address: None,
            };
            observe::count(Metric::Expired, ("Table", removal.kind), context);
        }
        Ok(())
    }
}

/// Lambda's id of the record. Without one, Lambda considers the whole batch failed, and halves it.
fn sequence_number(record: &Value) -> &str {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default()
}
