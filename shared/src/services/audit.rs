//! Floor 2: the audit log of requests (ASVS 16.3): who did or tried what, and to whom.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use rand::rngs::SysRng;

use crate::{
    domain::{
        audit::{AuditedRequest, Event, Policy},
        crypto::secret::random_bytes,
    },
    fault::Fault,
    http::{call::Call, reply::Reply, serve::AnyEndpoint},
    observe::{self, Family, Outcome},
    runtime::edge::Wire,
    store::table::{Put, Table},
};

/// Timeout for writing an event before the response. Little of the function's time is left afterwards.
const WRITTEN_WITHIN: Duration = Duration::from_millis(1500);

/// The table of the audit log.
#[derive(Debug, Wire)]
pub struct AuditLog {
    events: Table<Event, Put>,
    #[wire(audit_policy)]
    policy: Policy,
}

impl AuditLog {
    /// Records a disclosure before it happens: without an audit event, nothing is disclosed (ASVS 16.2.1, R46).
    ///
    /// # Errors
    /// [`Fault`] when the event could not be recorded.
    pub async fn before(&self, call: &Call, what: Outcome) -> Result<(), Fault> {
        let Some(event) = self.event(call, what)? else {
            return Err(Fault::Bug("a disclosure without a known caller or subject".into()));
        };
        self.write(&event).await?;
        call.note_recorded();
        Ok(())
    }

    /// Records what was done, before the response is sent. The change is kept even if this fails: the event is then
    /// written to the log instead.
    async fn after(&self, call: &Call, reply: &Reply) {
        if call.is_recorded() {
            return;
        }
        match self.event(call, reply.outcome) {
            Ok(None) => {}
            // Takes as long as recording an event, so that timing does not reveal which users exist (enumeration).
            Ok(Some(event)) if call.is_about_unknown() => {
                if let Err(fault) = in_time(self.events.put_never(&event)).await {
                    observe::failed(&call.request_id, "audit", &fault);
                }
            }
            Ok(Some(event)) => {
                if let Err(fault) = self.write(&event).await {
                    observe::audit_failed(&event, &fault, &call.request_id);
                }
            }
            Err(fault) => observe::failed(&call.request_id, "audit", &fault),
        }
    }

    /// The event; `None` if neither the caller nor the subject is known: such calls change nothing.
    fn event(&self, call: &Call, what: Outcome) -> Result<Option<Event>, Fault> {
        let link = || call.link().map(|link| format!("link:{link}"));
        let known = call.subject().or(call.actor()).map(str::to_owned);
        let Some(subject) = known.or_else(link) else {
            return Ok(None);
        };
        let request = AuditedRequest {
            actor: call.actor().map(str::to_owned),
            route: call.route.clone(),
            request_id: call.request_id.clone(),
        };
        let attempt = random_bytes(&mut SysRng)?;
        let by = &call.invocation;
        Ok(Some(Event::of_request(self.policy, what.as_str(), by, subject, request, attempt, call.now)))
    }

    async fn write(&self, event: &Event) -> Result<(), Fault> {
        in_time(self.events.put_new(event, event.at)).await.map(drop)
    }
}

async fn in_time<T>(written: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let written = tokio::time::timeout(WRITTEN_WITHIN, written).await;
    written.unwrap_or_else(|_| Err(Fault::TooSlow("the audit event")))
}

/// An endpoint whose calls are recorded in the audit log.
pub struct Audited {
    endpoint: Box<dyn AnyEndpoint>,
    trail: AuditLog,
}

impl Audited {
    /// Wraps the endpoint and records its calls.
    #[must_use]
    pub fn new(endpoint: Box<dyn AnyEndpoint>, trail: AuditLog) -> Self {
        Self { endpoint, trail }
    }
}

impl AnyEndpoint for Audited {
    fn reply<'a>(&'a self, call: &'a Call, within: Duration) -> LocalBoxFuture<'a, Reply> {
        Box::pin(async move {
            let reply = self.endpoint.reply(call, within).await;
            self.trail.after(call, &reply).await;
            reply
        })
    }

    fn family(&self) -> Option<Family> {
        self.endpoint.family()
    }
}
