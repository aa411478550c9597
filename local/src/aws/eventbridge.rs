//! EventBridge: events are captured instead of delivered to targets. Every event bus exists.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::service::aws_json;
use crate::clock::LocalClock;
use crate::events::Event;
use crate::invocations::{Consumed, Units};
use crate::random;
use crate::rights::{NOTHING, Need};
use crate::state::Inner;
use crate::template::{ACCOUNT, REGION};

pub(super) const JSON: &str = "application/x-amz-json-1.1";
/// EventBridge's limits of one request: entries, and bytes of all of them.
const MOST_ENTRIES: usize = 10;
const LONGEST: usize = 256 * 1024;
/// The bus of entries that name none.
const DEFAULT_BUS: &str = "default";

#[derive(Default, Deserialize)]
struct PutEvents {
    #[serde(rename = "Entries", default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
    /// Seconds since 1970.
    time: Option<serde_json::Number>,
    #[serde(default)]
    resources: Vec<String>,
}

/// Why an entry is not accepted: code and message.
type Invalid = (&'static str, String);

/// The permissions that a call needs: one for each event bus.
pub(super) fn needs(action: &str, body: &[u8]) -> Vec<Need> {
    let request: PutEvents = serde_json::from_slice(body).unwrap_or_default();
    let buses: BTreeSet<&str> = request.entries.iter().map(Entry::bus).collect();
    let arn = |bus: &&str| format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{bus}");
    let needs: Vec<_> = buses.iter().map(|bus| Need::new(action.to_owned(), arn(bus))).collect();
    match needs.is_empty() {
        true => vec![Need::new(action.to_owned(), NOTHING.to_owned())],
        false => needs,
    }
}

pub(super) fn answer(operation: &str, body: &[u8], inner: &Inner, units: &Units) -> Response<Body> {
    let refused = |name: &str, message: &str| {
        aws_json(StatusCode::BAD_REQUEST, JSON, &json!({ "__type": name, "message": message }))
    };
    if operation != "PutEvents" {
        return refused("UnknownOperationException", &format!("The local cloud does not know {operation}."));
    }
    let Ok(PutEvents { entries }) = serde_json::from_slice(body) else {
        return refused("SerializationException", "The request is no JSON of PutEvents.");
    };
    if !(1..=MOST_ENTRIES).contains(&entries.len()) {
        let message = format!("1 validation error detected: 'entries' must have from 1 to {MOST_ENTRIES} members");
        return refused("ValidationException", &message);
    }
    if entries.iter().map(Entry::size).sum::<usize>() > LONGEST {
        return refused("ValidationException", "Total size of the entries in the request is over the limit.");
    }
    let results = entries.into_iter().map(|entry| {
        let event = entry.event(inner)?;
        let id = event.id.clone();
        units.add(Consumed {
            events: 1,
            ..Consumed::default()
        });
        inner.events.capture(event);
        Ok(id)
    });
    let results: Vec<Result<String, Invalid>> = results.collect();
    inner.changed("events");
    result(&results)
}

/// The answer in which every entry failed for a reason that a retry may overcome.
pub(super) fn none_accepted(body: &[u8]) -> Response<Body> {
    let request: PutEvents = serde_json::from_slice(body).unwrap_or_default();
    let failure = |_| Err(("InternalFailure", "An internal failure occurred.".to_owned()));
    result(&request.entries.iter().map(failure).collect::<Vec<_>>())
}

fn result(results: &[Result<String, Invalid>]) -> Response<Body> {
    let entries = results.iter().map(|result| match result {
        Ok(id) => json!({ "EventId": id }),
        Err((code, message)) => json!({ "ErrorCode": code, "ErrorMessage": message }),
    });
    let entries: Vec<_> = entries.collect();
    let failed = results.iter().filter(|result| result.is_err()).count();
    aws_json(StatusCode::OK, JSON, &json!({ "FailedEntryCount": failed, "Entries": entries }))
}

impl Entry {
    /// The bus's name, also where the entry has its ARN.
    fn bus(&self) -> &str {
        let named = self.event_bus_name.as_deref().filter(|name| !name.is_empty());
        named.map_or(DEFAULT_BUS, |name| name.rsplit('/').next().unwrap_or(name))
    }

    /// As EventBridge counts it.
    fn size(&self) -> usize {
        const TIME: usize = 14;
        let texts = [&self.source, &self.detail_type, &self.detail];
        texts.into_iter().flatten().chain(&self.resources).map(String::len).sum::<usize>()
            + if self.time.is_some() { TIME } else { 0 }
    }

    fn event(self, inner: &Inner) -> Result<Event, Invalid> {
        let bus = self.bus().to_owned();
        let given = |name: &str, value: Option<String>| {
            value.filter(|value| !value.is_empty()).ok_or_else(|| {
                let message = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
                ("InvalidArgument", message)
            })
        };
        let source = given("Source", self.source)?;
        if source.starts_with("aws.") {
            let message = "Not authorized for the source.".to_owned();
            return Err(("NotAuthorizedForSourceException", message));
        }
        let detail_type = given("DetailType", self.detail_type)?;
        let detail = given("Detail", self.detail)?;
        let detail: Value = serde_json::from_str(&detail).unwrap_or_default();
        if !detail.is_object() {
            return Err(("MalformedDetail", "Detail is malformed.".to_owned()));
        }
        let at = inner.clock.iso();
        let seconds = self.time.and_then(|time| time.to_string().split('.').next()?.parse().ok());
        Ok(Event {
            id: random::uuid(),
            bus,
            source,
            detail_type,
            detail,
            resources: self.resources,
            time: seconds.map_or_else(|| at.clone(), LocalClock::iso_of),
            at,
        })
    }
}
