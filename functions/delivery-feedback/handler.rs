use countersign_shared::{
    domain::{
        audit::{self, Event},
        crypto::secret::random_bytes,
        mail::suppression::{Policy, Reason, Source, Suppression},
        password_reset::PasswordResetRequest,
        registration::RegistrationRequest,
    },
    fault::Fault,
    observe::{self, LogContext, Metric, Outcome},
    runtime::{edge::Wire, payload::Payload},
    start::Background,
    store::{
        rows::suppression,
        table::{Committed, Delete, Put, Table, Transaction, Update},
    },
};
use rand::rngs::SysRng;
use serde_json::Value;

use crate::notice::{Feedback, Notice, Request};

/// Handles bounces and complaints: suppresses the address for a while, closes the request that the mail was about, and
/// records both in the audit log. A repeated event changes nothing.
#[derive(Wire)]
pub struct DeliveryFeedback {
    pub suppressions: Table<Suppression, Update>,
    pub registrations: Table<RegistrationRequest, Delete>,
    pub resets: Table<PasswordResetRequest, Delete>,
    pub audit: Table<Event, Put>,
    #[wire(mail_events)]
    pub source: Source,
    #[wire(suppression_policy)]
    pub policy: Policy,
    #[wire(audit_policy)]
    pub keeping: audit::Policy,
}

impl Background for DeliveryFeedback {
    /// Handles what SNS delivers. Foreign and invalid events are dropped, because a retry would not help.
    ///
    /// # Errors
    /// When the store fails: Lambda retries, and finally sets the event aside.
    async fn answer(&self, Payload(event): Payload, request_id: &str) -> Result<Value, lambda_runtime::Error> {
        let event = event.unwrap_or_default();
        let records = event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
        if records.is_empty() {
            observe::dropped(request_id, "no records");
        }
        for record in records {
            match Notice::read(record, &self.source) {
                Ok(Notice::Feedback(feedback)) => {
                    let done = self.take(&feedback, request_id).await;
                    done.map_err(|fault| fault.to_string())?;
                }
                Ok(Notice::Counted(metric, kind, at)) => {
                    let context = LogContext {
                        request_id,
                        at,
                        event: None,
                        address: None,
                    };
                    observe::count(metric, ("Type", kind), context);
                }
                Err(why) => observe::dropped(request_id, why),
            }
        }
        Ok(Value::Null)
    }
}

impl DeliveryFeedback {
    /// Suppresses the address, closes the request and records both, in one transaction. An event that is recorded already
    /// was delivered before, and changes nothing.
    async fn take(&self, feedback: &Feedback, request_id: &str) -> Result<(), Fault> {
        let (what, metric, kind) = match feedback.reason {
            Reason::Bounce => (Outcome::Bounced, Metric::Bounced, "Permanent"),
            Reason::Complaint => (Outcome::Complained, Metric::Complained, "Complaint"),
        };
        let row = Suppression::new(self.policy, &feedback.address, feedback.reason, feedback.at);
        let source: [&[u8]; 2] = [feedback.id.as_bytes(), &row.subject];
        let act = what.of(audit::pseudonym("Mail", &row.subject));
        let event = Event::of_source(self.keeping, act, &source, random_bytes(&mut SysRng)?, feedback.at);
        // An address that is suppressed for as long already stays as it is.
        for suppresses in [true, false] {
            let mut transaction = Transaction::default();
            let recorded = transaction.put_new(&self.audit, &event, feedback.at);
            match &feedback.request {
                Some(Request::Registration(digest)) => {
                    transaction.delete(&self.registrations, digest);
                }
                Some(Request::PasswordReset(digest)) => {
                    transaction.delete(&self.resets, digest);
                }
                None => {}
            }
            if suppresses {
                transaction.update(&self.suppressions, &row.subject, suppression::suppress(&row));
            }
            match transaction.commit().await? {
                Committed::Yes => {
                    let address = feedback.address.masked();
                    let context = LogContext {
                        request_id,
                        at: feedback.at,
                        event: Some(&event),
                        address: Some(&address),
                    };
                    observe::count(metric, ("Type", kind), context);
                    return Ok(());
                }
                Committed::No(steps) if steps.contains(&recorded) => return Ok(()),
                Committed::No(_) => {}
            }
        }
        Err(Fault::Contended("the audit event was refused without a reason".into()))
    }
}
