use countersign_shared::{
    domain::{
        audit::{self, Event, What},
        crypto::secret::random_bytes,
        mail::suppression::{Policy, Reason, Source, Suppression, subject},
        password_reset::PasswordResetRequest,
        registration::RegistrationRequest,
    },
    fault::Fault,
    observe::{self, LogContext, Metric},
    runtime::{edge::Wire, payload::Payload},
    start::Background,
    store::{
        rows::suppression,
        table::{Delete, Put, Table, Update},
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
    async fn take(&self, feedback: &Feedback, request_id: &str) -> Result<(), Fault> {
        let row = Suppression::new(self.policy, &feedback.address, feedback.reason, feedback.at);
        self.suppressions.update(&row.subject, suppression::suppress(&row), feedback.at).await?;
        match &feedback.request {
            Some(Request::Registration(digest)) => self.registrations.delete(digest).await?,
            Some(Request::PasswordReset(digest)) => self.resets.delete(digest).await?,
            None => {}
        }
        self.record(feedback, request_id).await
    }

    /// Comes last: only the writer of the audit event logs the line, so both exist exactly once.
    async fn record(&self, feedback: &Feedback, request_id: &str) -> Result<(), Fault> {
        let (what, metric, kind) = match feedback.reason {
            Reason::Bounce => (What::Bounced, Metric::Bounced, "Permanent"),
            Reason::Complaint => (What::Complained, Metric::Complained, "Complaint"),
        };
        let about = subject(&feedback.address);
        let source: [&[u8]; 2] = [feedback.id.as_bytes(), &about];
        let attempt = random_bytes(&mut SysRng)?;
        let mail = audit::pseudonym("Mail", &about);
        let event = Event::new(self.keeping, what, &source, mail, attempt, feedback.at);
        if self.audit.put_new(&event, feedback.at).await? {
            let address = feedback.address.masked();
            let context = LogContext {
                request_id,
                at: feedback.at,
                event: Some(&event),
                address: Some(&address),
            };
            observe::count(metric, ("Type", kind), context);
        }
        Ok(())
    }
}
