//! The log line of a finished request.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Outcome, metric};
use crate::{domain::time::Timestamp, fault::Fault};

/// A family of endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Support PINs.
    SupportPin,
    /// Registration and password reset.
    Registration,
    /// Passcodes with a purpose.
    Passcode,
    /// Second factors, codes and tokens.
    SecondFactor,
    /// Verifications of phone numbers and mail addresses.
    Verify,
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Self::SupportPin => "SupportPin",
            Self::Registration => "Registration",
            Self::Passcode => "Passcode",
            Self::SecondFactor => "SecondFactor",
            Self::Verify => "Verify",
        }
    }
}

/// The conversion milestone of a successful request about a known user: conversion is verified divided by issued, or by
/// sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// A PIN, a link, a passcode or a code was created.
    Issued,
    /// It was submitted or looked up.
    Verified,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It succeeded.
    Done(Option<Milestone>),
    /// It was refused: a client error or a rate limit.
    Refused {
        /// Whether by a rate limit.
        throttled: bool,
    },
    /// An internal error.
    Faulty,
}

/// A finished request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The event's own time.
    pub at: Timestamp,
    /// The function, as Lambda names it.
    pub function: &'a str,
    /// The gateway's id.
    pub request_id: &'a str,
    /// X-Ray's trace id, if any.
    pub trace_id: Option<&'a str>,
    /// The route's pattern: no path, no query.
    pub route: &'a str,
    /// The family that its metrics count in, if any.
    pub family: Option<Family>,
    /// HTTP status.
    pub status: u16,
    /// The outcome, as logged.
    pub outcome: Outcome,
    /// How it ended.
    pub end: End,
    /// The time that the function took.
    pub took: Duration,
    /// Whether it was the first of its sandbox (cold start).
    pub cold: bool,
    /// The caller.
    pub actor: Option<&'a str>,
    /// The user or the thing that it was about.
    pub subject: Option<&'a str>,
    /// The mailed link that it was about, by the prefix of its digest.
    pub link: Option<&'a str>,
    /// The internal error, if any.
    pub fault: Option<&'a Fault>,
}

/// Logs one line for each request (ASVS 16.2.1): when, what, by whom, about whom, and the outcome.
pub fn request(request: &Request<'_>) {
    println!("{}", line(request));
}

fn line(request: &Request<'_>) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        at: String,
        level: &'static str,
        function: &'a str,
        request_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        trace_id: Option<&'a str>,
        route: &'a str,
        status: u16,
        outcome: Outcome,
        ms: f64,
        cold: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        actor: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        subject: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        link: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        fault: Option<String>,
        #[serde(flatten)]
        metric: Map<String, Value>,
    }
    let micros = u32::try_from(request.took.as_micros()).unwrap_or(u32::MAX);
    let line = Line {
        at: request.at.iso(),
        level: if request.fault.is_some() { "error" } else { "info" },
        function: request.function,
        request_id: request.request_id,
        trace_id: request.trace_id,
        route: request.route,
        status: request.status,
        outcome: request.outcome,
        ms: f64::from(micros) / 1000.0,
        cold: request.cold,
        actor: request.actor,
        subject: request.subject,
        link: request.link,
        fault: request.fault.map(Fault::to_string),
        metric: counted(request),
    };
    serde_json::to_string(&line).expect("a line has text keys and finite numbers")
}

/// Counts a request once, in its family.
fn counted(request: &Request<'_>) -> Map<String, Value> {
    let Some(family) = request.family else {
        return Map::new();
    };
    let family = ("Family", family.name());
    let reason = ("Reason", request.outcome.as_str());
    let (name, dimensions): (_, &[_]) = match request.end {
        End::Done(None) => return Map::new(),
        End::Done(Some(Milestone::Issued)) => ("Issued", &[family]),
        End::Done(Some(Milestone::Verified)) => ("Verified", &[family]),
        End::Refused { throttled: true } => ("Throttled", &[family]),
        End::Refused { throttled: false } => ("Refused", &[family, reason]),
        End::Faulty => ("Faults", &[family]),
    };
    metric(request.at, name, dimensions)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answered(family: Option<Family>, status: u16, outcome: Outcome, end: End, fault: Option<&Fault>) -> Value {
        let line = super::line(&Request {
            at: Timestamp::from_millis(1_772_230_017_999),
            function: "f",
            request_id: "r",
            trace_id: None,
            route: "GET /",
            family,
            status,
            outcome,
            end,
            took: Duration::from_micros(1500),
            cold: true,
            actor: Some("user:1"),
            subject: None,
            link: None,
            fault,
        });
        serde_json::from_str(&line).expect("JSON")
    }

    #[test]
    fn a_request_is_one_log_line_and_one_metric_of_its_family() {
        let done =
            answered(Some(Family::Passcode), 200, Outcome::PasscodeIssued, End::Done(Some(Milestone::Issued)), None);
        let expected = json!({
            "at": "2026-02-27T22:06:57Z", "level": "info", "function": "f", "request_id": "r", "route": "GET /",
            "status": 200, "outcome": "passcode_issued", "ms": 1.5, "cold": true, "actor": "user:1",
            "Family": "Passcode", "Issued": 1,
            "_aws": {
                "Timestamp": 1_772_230_017_999_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "Countersign", "Dimensions": [[], ["Family"]],
                    "Metrics": [{ "Name": "Issued", "Unit": "Count" }],
                }],
            },
        });
        assert_eq!(done, expected);
        let broken = Fault::Bug("it broke".into());
        for (status, end, fault, name, dimensions) in [
            (200, End::Done(Some(Milestone::Verified)), None, "Verified", json!([[], ["Family"]])),
            (429, End::Refused { throttled: true }, None, "Throttled", json!([[], ["Family"]])),
            (404, End::Refused { throttled: false }, None, "Refused", json!([["Family"], ["Family", "Reason"]])),
            (500, End::Faulty, Some(&broken), "Faults", json!([[], ["Family"]])),
        ] {
            let line = answered(Some(Family::SecondFactor), status, Outcome::Described, end, fault);
            assert_eq!((&line[name], &line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]), (&json!(1), &dimensions));
            assert_eq!(line["level"], if fault.is_some() { "error" } else { "info" });
        }
        for (family, end) in [
            (None, End::Done(Some(Milestone::Issued))),
            (Some(Family::Passcode), End::Done(None)),
        ] {
            assert_eq!(answered(family, 200, Outcome::Described, end, None).get("_aws"), None);
        }
    }
}
