//! The only code that calls EventBridge.

use aws_sdk_eventbridge::{
    Client,
    primitives::DateTime,
    types::{PutEventsRequestEntry, PutEventsResultEntry},
};
use futures_util::future::LocalBoxFuture;
use serde::Serialize;

use crate::{
    domain::{audit::Event, people::name::DomainName, time::Timestamp},
    fault::{Fault, failure_of},
};

/// The source of our events, by which rules select them.
const SOURCE: &str = "countersign";

/// Maximum number of events in one request (`PutEvents`).
pub const MOST_EVENTS: usize = 10;

/// An event for applications.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The type (`detail-type`).
    pub detail_type: String,
    /// The content, a JSON object.
    pub detail: String,
    /// When it happened.
    pub at: Timestamp,
}

/// The content of an event: ids, masks and words of ours, and nothing that a user wrote.
#[derive(Serialize)]
struct Detail<'a> {
    id: String,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    subject: &'a str,
    outcome: &'a str,
}

impl Entry {
    /// An event of the audit log as applications receive it (docs/events.md); `None` for one that they do not receive.
    ///
    /// # Panics
    /// Never: texts are JSON.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        let detail = Detail {
            id: event.id_text(),
            time: event.at.iso(),
            domain: event.domain.as_ref().map(DomainName::as_str),
            actor: event.request.as_ref().and_then(|request| request.actor.as_deref()),
            subject: &event.subject,
            outcome: &event.what,
        };
        Some(Self {
            detail_type: event.published_as.clone()?,
            detail: serde_json::to_string(&detail).expect("texts are JSON"),
            at: event.at,
        })
    }
}

/// Publishes events (`events:PutEvents`) on one event bus.
#[derive(Debug)]
pub struct EventBus {
    client: Client,
    name: String,
}

impl EventBus {
    /// The event bus of that name.
    #[must_use]
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Publishes up to [`MOST_EVENTS`] events, and returns for each of them whether EventBridge accepted it.
    ///
    /// # Errors
    /// [`Fault`] when EventBridge did not answer, or refused all of them. It may have accepted some.
    pub fn put<'a>(&'a self, entries: &[Entry]) -> LocalBoxFuture<'a, Result<Vec<Result<(), Fault>>, Fault>> {
        let entries: Vec<_> = entries.iter().map(|entry| request_entry(&self.name, entry)).collect();
        // Boxed, so that the call's code is in the library and not in every function.
        Box::pin(async move {
            let wanted = entries.len();
            let answer = self.client.put_events().set_entries(Some(entries)).send().await;
            let answer = answer.map_err(|error| Fault::Events(format!("PutEvents failed: {}", failure_of(&error))))?;
            outcomes(wanted, answer.failed_entry_count(), answer.entries())
        })
    }
}

fn request_entry(bus: &str, entry: &Entry) -> PutEventsRequestEntry {
    let seconds = i64::try_from(entry.at.seconds()).expect("capped at the year 9999");
    PutEventsRequestEntry::builder()
        .event_bus_name(bus)
        .source(SOURCE)
        .detail_type(&entry.detail_type)
        .detail(&entry.detail)
        .time(DateTime::from_secs(seconds))
        .build()
}

/// The outcome of each entry, in the order of the request. The response is a success even if entries failed.
fn outcomes(wanted: usize, failed: i32, entries: &[PutEventsResultEntry]) -> Result<Vec<Result<(), Fault>>, Fault> {
    if entries.len() != wanted {
        return Err(Fault::Events("PutEvents did not say which events it accepted".into()));
    }
    let outcome = |entry: &PutEventsResultEntry| match entry.error_code() {
        None if failed == 0 || entry.event_id().is_some() => Ok(()),
        code => Err(Fault::Events(format!("PutEvents refused an event: {}", code.unwrap_or("without a code")))),
    };
    Ok(entries.iter().map(outcome).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::audit::{Act, AuditedRequest, Policy};

    fn event(actor: Option<&str>, domain: Option<&str>) -> Event {
        let act = Act {
            what: "factor_approved",
            published_as: Some("factor.changed"),
            subject: "user:b53a2bd3".into(),
            domain: domain.map(|name| DomainName::parse(name).expect("a domain")),
            notice: None,
        };
        let request = AuditedRequest {
            actor: actor.map(str::to_owned),
            route: "PATCH /".into(),
            request_id: "r".into(),
        };
        let at = Timestamp::from_millis(1_772_230_017_999);
        let event = Event::of_request(Policy { retention: 10 }, act, "invocation", request, at);
        Event { id: [7; 32], ..event }
    }

    fn detail(event: &Event) -> Value {
        let entry = Entry::of(event).expect("it is published");
        serde_json::from_str(&entry.detail).expect("JSON")
    }

    #[test]
    fn a_detail_has_ids_and_words_only() {
        let event = event(Some("client:heatclinic"), Some("shop.example"));
        let entry = Entry::of(&event).expect("it is published");
        assert_eq!((entry.detail_type.as_str(), entry.at), ("factor.changed", event.at));
        let expected = json!({
            "id": "07".repeat(32), "time": "2026-02-27T22:06:57Z", "domain": "shop.example",
            "actor": "client:heatclinic", "subject": "user:b53a2bd3", "outcome": "factor_approved",
        });
        assert_eq!(detail(&event), expected);
    }

    #[test]
    fn absent_values_are_left_out_of_a_detail() {
        let act = event(None, None);
        let without_request = Event {
            request: None,
            ..act.clone()
        };
        for event in [act, without_request] {
            let detail = detail(&event);
            let names: Vec<_> = detail.as_object().expect("an object").keys().map(String::as_str).collect();
            assert_eq!(names, ["id", "outcome", "subject", "time"]);
        }
    }

    #[test]
    fn an_event_without_a_type_is_not_published() {
        let event = Event {
            published_as: None,
            ..event(None, None)
        };
        assert!(Entry::of(&event).is_none());
    }

    #[test]
    fn an_entry_is_complete() {
        let entry = Entry {
            detail_type: "user.registered".into(),
            detail: "{}".into(),
            at: Timestamp::from_millis(1_772_230_017_999),
        };
        let request = request_entry("identity", &entry);
        let texts = [
            request.event_bus_name(),
            request.source(),
            request.detail_type(),
            request.detail(),
        ];
        assert_eq!(
            texts,
            [
                Some("identity"),
                Some("countersign"),
                Some("user.registered"),
                Some("{}")
            ]
        );
        assert_eq!(request.time(), Some(&DateTime::from_secs(1_772_230_017)));
    }

    #[test]
    fn each_entry_has_its_own_outcome() {
        let accepted = || PutEventsResultEntry::builder().event_id("e").build();
        let refused = || PutEventsResultEntry::builder().error_code("ThrottlingException").build();
        let words = |failed, entries: &[_]| -> Vec<_> {
            let outcomes = outcomes(entries.len(), failed, entries).expect("a result for each");
            outcomes.into_iter().map(|outcome| outcome.err().map(|fault| fault.to_string())).collect()
        };
        assert_eq!(words(0, &[accepted(), accepted()]), [None, None]);
        let refusal = "PutEvents refused an event: ThrottlingException".to_owned();
        assert_eq!(words(1, &[accepted(), refused(), accepted()]), [None, Some(refusal), None]);
        let nothing = PutEventsResultEntry::builder().build();
        assert!(words(1, &[nothing])[0].is_some(), "neither an id nor an error code");
    }

    #[test]
    fn a_missing_outcome_is_a_failure() {
        let accepted = || PutEventsResultEntry::builder().event_id("e").build();
        assert!(outcomes(2, 1, &[accepted()]).is_err());
        assert!(outcomes(2, 0, &[accepted()]).is_err());
    }
}
