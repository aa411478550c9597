use countersign_shared::{
    delivery::{
        bus::{Entry, EventBus, MOST_EVENTS},
        mail::{Mailer, Recipient, Unsent},
        words::{Message, compose},
    },
    domain::{
        audit::{Event, Notice},
        mail::{
            sender::Sender,
            suppression::{self, Suppression},
        },
        people::{id::UserId, tenant::Domain, user::User},
        publication::{Channel, Publication, is_too_old},
        time::Timestamp,
    },
    fault::Fault,
    observe::{self, LogContext},
    runtime::{
        edge::{Wire, system_time},
        payload::Payload,
    },
    start::Background,
    store::{
        stream::{Failures, inserted, sequence_number},
        table::{Batch, BatchGet, Put, Table, Transaction},
    },
};
use serde_json::{Value, json};

/// How long after its start the function begins to send another mail, in seconds. A mail takes 12.5 seconds at most: two
/// reads, the call of SES and two writes, of 2.5 seconds each. The function's timeout in template.yaml is longer than both.
const LAST_MAIL_WITHIN: u64 = 16;

/// Mails the notices of the audit log to users, and publishes its events on the event bus (R41, R76).
///
/// Both happen at least once: first the act, then the row that remembers it. An event that comes again finds that row,
/// and is passed over. A mail is repeated if the process dies between the two, or if SES accepted it and its answer was
/// lost: SES takes no idempotency token, and whether it sent a mail cannot be asked. The reverse order would lose that
/// mail instead, a notice that may be the only sign of an attack.
#[derive(Wire)]
pub struct Publish {
    pub users: Table<User, BatchGet>,
    pub domains: Table<Domain, BatchGet>,
    pub suppressions: Table<Suppression, BatchGet>,
    pub published: Table<Publication, BatchGet>,
    pub publications: Table<Publication, Put>,
    pub mailer: Option<Mailer>,
    pub bus: Option<EventBus>,
}

impl Background for Publish {
    /// Handles a batch, and returns the records that failed. Lambda continues from the earliest of them, so later ones
    /// may be delivered again.
    ///
    /// The two channels are independent: each goes through the batch until its own first failure, so that a bus that
    /// fails does not hold the batch's mails back, and the rows keep either from repeating what it did.
    ///
    /// # Errors
    /// When the event is not a batch.
    async fn answer(&self, Payload(batch): Payload, request_id: &str) -> Result<Value, lambda_runtime::Error> {
        let batch = batch.map_err(|name| format!("the name {name:?} occurs twice"))?;
        let records = batch["Records"].as_array().ok_or("this is no batch of records")?;
        let mut work = Work {
            records,
            request_id,
            started: system_time(),
            failures: Failures::default(),
        };
        let events = work.events();
        self.publish(&events, &mut work).await;
        self.notify(&events, &mut work).await;
        let failed = work.failures.of(records.len()).map(|at| sequence_number(&records[at]));
        let failures: Vec<_> = failed.map(|number| json!({ "itemIdentifier": number })).collect();
        Ok(json!({ "batchItemFailures": failures }))
    }
}

/// An event of a batch.
struct Pending {
    /// The position of its record.
    at: usize,
    event: Event,
}

/// The work on a batch.
struct Work<'a> {
    records: &'a [Value],
    request_id: &'a str,
    started: Timestamp,
    failures: Failures,
}

impl Work<'_> {
    /// The new events, in order.
    fn events(&mut self) -> Vec<Pending> {
        let mut events = Vec::new();
        for (at, record) in self.records.iter().enumerate() {
            match inserted::<Event>(record) {
                Ok(Some(event)) if is_too_old(&event, self.started) => {
                    observe::dropped(self.request_id, "an event of days ago, written again");
                }
                Ok(Some(event)) => events.push(Pending { at, event }),
                // Events are append-only: a change is none of ours, and a removal is the end of the retention.
                Ok(None) => {}
                Err(what) => self.fails_alone(at, &Fault::Corrupt(format!("a record has no good {what}"))),
            }
        }
        events
    }

    /// The record goes to the dead-letter queue: a retry would not help.
    fn fails_alone(&mut self, at: usize, fault: &Fault) {
        self.log(at, fault);
        self.failures.add(at);
    }

    /// What failed is unavailable, so the next records would fail as well.
    fn stops_at(&mut self, at: usize, fault: &Fault) {
        self.log(at, fault);
        self.failures.stop_at(at);
    }

    fn log(&self, at: usize, fault: &Fault) {
        observe::failed(self.request_id, sequence_number(&self.records[at]), fault);
    }
}

impl Publish {
    /// Publishes the events of a batch, as many at once as a request can hold.
    async fn publish(&self, events: &[Pending], work: &mut Work<'_>) {
        let Some(bus) = &self.bus else { return };
        let typed: Vec<_> = events.iter().filter(|pending| pending.event.published_as.is_some()).collect();
        for some in typed.chunks(MOST_EVENTS) {
            if let Err((at, fault)) = self.put(bus, some).await {
                work.stops_at(at, &fault);
                return;
            }
        }
    }

    /// Publishes those of these events that were not yet, or says at which record it failed.
    async fn put(&self, bus: &EventBus, events: &[&Pending]) -> Result<(), (usize, Fault)> {
        let first = events.first().map_or(0, |pending| pending.at);
        let publication = |pending: &Pending| Publication::of(&pending.event, Channel::Bus);
        let mut batch = Batch::default();
        events.iter().for_each(|pending| batch.want(&self.published, &publication(pending).key));
        let found = batch.read().await.map_err(|fault| (first, fault))?;
        let (mut left, mut entries) = (Vec::new(), Vec::new());
        for pending in events {
            let row = found.take(&self.published, &publication(pending).key, pending.event.at);
            if row.map_err(|fault| (pending.at, fault))?.is_none()
                && let Some(entry) = Entry::of(&pending.event)
            {
                left.push(pending);
                entries.push(entry);
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        let outcomes = bus.put(&entries).await.map_err(|fault| (left[0].at, fault))?;
        let mut transaction = Transaction::default();
        let mut failed = None;
        for (pending, outcome) in left.iter().zip(outcomes) {
            match outcome {
                Ok(()) => {
                    transaction.put(&self.publications, &publication(pending));
                }
                Err(fault) => failed = failed.or(Some((pending.at, fault))),
            }
        }
        // Remembered even if others failed: only those are published again.
        transaction.commit().await.map_err(|fault| (left[0].at, fault))?;
        failed.map_or(Ok(()), Err)
    }

    /// Mails the notices of a batch, as many as the time allows.
    async fn notify(&self, events: &[Pending], work: &mut Work<'_>) {
        for Pending { at, event } in events {
            let Some(notice) = &event.notice else { continue };
            let Some(mailer) = &self.mailer else {
                observe::dropped(work.request_id, "a notice, in a deployment without MailDomain");
                continue;
            };
            if work.started.deadline(LAST_MAIL_WITHIN).is_expired(system_time()) {
                work.failures.stop_at(*at);
                return;
            }
            match self.mail(mailer, event, notice, work.request_id).await {
                Ok(()) => {}
                Err(fault @ Fault::Corrupt(_)) => work.fails_alone(*at, &fault),
                Err(fault) => {
                    work.stops_at(*at, &fault);
                    return;
                }
            }
        }
    }

    /// Mails a notice to the event's subject, unless that was done, the user no longer exists, or the address is
    /// suppressed.
    async fn mail(&self, mailer: &Mailer, event: &Event, notice: &Notice, request_id: &str) -> Result<(), Fault> {
        let Some(id) = event.subject.strip_prefix("user:").and_then(UserId::parse) else {
            return Ok(());
        };
        // The event's own time: a row that expired since still counts, and no mail goes to its address.
        let now = event.at;
        let publication = Publication::of(event, Channel::Mail);
        let mut batch = Batch::default();
        batch.want(&self.users, &id);
        batch.want(&self.published, &publication.key);
        let found = batch.read().await?;
        if found.take(&self.published, &publication.key, now)?.is_some() {
            return Ok(());
        }
        let Some(user) = found.take(&self.users, &id, now)? else {
            return Ok(());
        };
        let address = suppression::subject(&user.email);
        let mut batch = Batch::default();
        batch.want(&self.domains, &user.domain);
        batch.want(&self.suppressions, &address);
        let found = batch.read().await?;
        if found.take(&self.suppressions, &address, now)?.is_some() {
            return Ok(());
        }
        let domain = found.take(&self.domains, &user.domain, now)?;
        let domain = domain.unwrap_or_else(|| Domain::undescribed(user.domain.clone()));
        let mail = compose(&domain.locale, &domain.name, &Message::Notice { notice, at: event.at });
        // No `reply_to`, because replies are not read: users who did not make the change need another contact.
        let sender = domain.sender.map(|sender| Sender {
            reply_to: None,
            ..sender
        });
        let tags = [("kind", notice.name().to_owned())];
        let sent = mailer.send(sender.as_ref(), Recipient::Person(&user.email), &mail, &tags).await;
        let context = LogContext {
            request_id,
            at: event.at,
            event: Some(event),
            address: None,
        };
        observe::mail(notice.name(), sent.is_ok(), context);
        match sent {
            Ok(()) => {}
            // It would be rejected for a day, and hold the events of all other users back.
            Err(Unsent {
                fault,
                is_rejected: true,
                ..
            }) => observe::degraded(&fault.to_string()),
            Err(Unsent { fault, .. }) => return Err(fault),
        }
        self.remember(&publication).await
    }

    /// Remembers a mail. What is not remembered is mailed again, so a failure is not the last word.
    async fn remember(&self, publication: &Publication) -> Result<(), Fault> {
        match self.publications.put(publication).await {
            Err(fault) if fault.is_transient() => self.publications.put(publication).await,
            done => done,
        }
    }
}
