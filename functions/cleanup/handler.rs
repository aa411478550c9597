use countersign_shared::{
    domain::{
        audit::{self, Event, Policy, What},
        secret::random_bytes,
    },
    fault::Fault,
    observe::{self, Metric, Told},
    runtime::edge::Wire,
    start::Background,
    store::table::{Put, Table},
};
use rand::rngs::SysRng;
use serde_json::{Value, json};

use crate::record::{Record, Removal};

/// Tells of the rows that DynamoDB has removed because their time was over: one audit event and one metric each.
///
/// It knows no other table, and can write to none: a removal that is told late, when a new row already lies under the same
/// key, has nothing by which it could touch that row. Whether a row is over is decided where rows are read, by its `ttl`.
#[derive(Wire)]
pub struct Cleanup {
    pub audit: Table<Event, Put>,
    #[wire(audit_policy)]
    pub policy: Policy,
}

impl Background for Cleanup {
    type Event = Value;

    /// Does a batch, each record by itself, and names those that are not done. Lambda goes on from the earliest of them, so
    /// later ones may come again: what was told once is not told again.
    ///
    /// # Errors
    /// When this is no batch at all.
    async fn answer(&self, batch: Value, request_id: &str) -> Result<Value, lambda_runtime::Error> {
        let records = batch["Records"].as_array().ok_or("this is no batch of records")?;
        let mut failed = Vec::new();
        for (at, record) in records.iter().enumerate() {
            match Record::read(record) {
                Record::Other => {}
                // It would be as malformed the next time. It ends in the dead-letter queue, and those behind it are done now.
                Record::Malformed(what) => {
                    let fault = Fault::Corrupt(format!("a record has no good {what}"));
                    observe::failed(request_id, sequence_number(record), &fault);
                    failed.push(record);
                }
                Record::Removal(removal) => {
                    if let Err(fault) = self.tell(&removal, request_id).await {
                        observe::failed(request_id, sequence_number(record), &fault);
                        // The store is out of order: those behind it would fare no better.
                        failed.extend(&records[at..]);
                        break;
                    }
                }
            }
        }
        let failures = failed
            .iter()
            .map(|record| json!({ "itemIdentifier": sequence_number(record) }));
        Ok(json!({ "batchItemFailures": failures.collect::<Vec<_>>() }))
    }
}

impl Cleanup {
    /// The row is the proof that a removal was told: only who writes it prints the line. A process that dies between the two
    /// leaves the event without its metric, never with two.
    async fn tell(&self, removal: &Removal<'_>, request_id: &str) -> Result<(), Fault> {
        let subject = audit::pseudonym(removal.kind, &audit::subject(removal.kind, &removal.key));
        let attempt = random_bytes(&mut SysRng)?;
        let event = Event::new(
            self.policy,
            What::Expired,
            &removal.source(),
            subject,
            attempt,
            removal.at,
        );
        if self.audit.put_new(&event, removal.at).await? {
            let line = Told {
                request_id,
                at: removal.at,
                event: Some(&event),
                address: None,
            };
            observe::count(Metric::Expired, ("Table", removal.kind), line);
        }
        Ok(())
    }
}

/// What Lambda knows the record by. Without one it takes the whole batch for failed, and halves it.
fn sequence_number(record: &Value) -> &str {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default()
}
