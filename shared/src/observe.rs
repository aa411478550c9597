//! Floor 1: what functions log. A line is JSON with ids and masked values, never a secret. A metric is part of its log
//! entry, in CloudWatch's embedded metric format: no API call is needed, and nothing is counted that is not logged.

mod outcome;
mod request;

use std::sync::OnceLock;

pub use outcome::Outcome;
pub use request::{End, Family, Milestone, Request, request};
use serde_json::{Map, Value, json};

use crate::{
    domain::{audit::Event, time::Timestamp},
    fault::Fault,
};

/// The CloudWatch namespace of this deployment's metrics, if set.
static NAMESPACE: OnceLock<String> = OnceLock::new();

/// Sets the namespace of all metrics, once, while the function starts.
pub fn count_in(namespace: &str) {
    NAMESPACE.get_or_init(|| namespace.to_owned());
}

/// A metric with value 1, by all its dimensions together, and by the first alone (or by none if there is only one). It
/// is part of its log entry.
fn metric(at: Timestamp, name: &str, dimensions: &[(&str, &str)]) -> Map<String, Value> {
    let names: Vec<_> = dimensions.iter().map(|(name, _)| *name).collect();
    let wider = &names[..names.len() - 1];
    let namespace = NAMESPACE.get().map_or("Countersign", String::as_str);
    let metrics = json!([{
        "Namespace": namespace, "Dimensions": [wider, names], "Metrics": [{ "Name": name, "Unit": "Count" }],
    }]);
    let mut fields = Map::new();
    for (name, value) in dimensions {
        fields.insert((*name).into(), (*value).into());
    }
    fields.insert(name.into(), 1.into());
    let head = json!({ "Timestamp": at.millis(), "CloudWatchMetrics": metrics });
    fields.insert("_aws".into(), head);
    fields
}

/// A counted event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Rows that DynamoDB has swept (TTL).
    Expired,
    /// Mails that could not be delivered.
    Bounced,
    /// Mails that were reported as unwanted.
    Complained,
    /// Mails that SES accepted but did not send.
    Rejected,
    /// Text messages that SNS accepted, by the country's prefix.
    SmsSent,
    /// Text messages that were not sent, by reason.
    SmsFailed,
    /// Mails that SES accepted, by kind.
    MailSent,
    /// Mails that SES rejected or did not confirm, by kind.
    MailFailed,
    /// Requests for mails refused by a rate limit of all mails, by the limit.
    MailOverBudget,
    /// Text messages beyond their country's budget of unverified ones, by the country's prefix: refused, or only recorded
    /// as the operator has set it.
    UnverifiedBudgetExhausted,
    /// Messages with the code of a verification, by the prefix of the country, or `email`.
    VerificationSent,
    /// Verifications that were approved, by the prefix of the country, or `email`.
    VerificationApproved,
}

impl Metric {
    fn name(self) -> &'static str {
        match self {
            Self::Expired => "Expired",
            Self::Bounced => "Bounced",
            Self::Complained => "Complained",
            Self::Rejected => "Rejected",
            Self::SmsSent => "SmsSent",
            Self::SmsFailed => "SmsFailed",
            Self::MailSent => "MailSent",
            Self::MailFailed => "MailFailed",
            Self::MailOverBudget => "MailOverBudget",
            Self::UnverifiedBudgetExhausted => "UnverifiedBudgetExhausted",
            Self::VerificationSent => "VerificationSent",
            Self::VerificationApproved => "VerificationApproved",
        }
    }

    /// The name in the log.
    fn outcome(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::Rejected => "rejected",
            Self::SmsSent => "sms_sent",
            Self::SmsFailed => "sms_failed",
            Self::MailSent => "mail_sent",
            Self::MailFailed => "mail_failed",
            Self::MailOverBudget => "mail_over_budget",
            Self::UnverifiedBudgetExhausted => "unverified_budget_exhausted",
            Self::VerificationSent => "verification_sent",
            Self::VerificationApproved => "verification_approved",
        }
    }
}

/// Why a text message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// SNS failed or was unreachable.
    Failed,
    /// The number has opted out.
    OptedOut,
    /// SNS does not accept the number.
    NotAPhone,
    /// Its country is not allowed.
    Country,
    /// Rate limited: by user, number, country or in all.
    Throttled,
    /// The text messages of the last day cost as much as they may.
    Money,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::OptedOut => "opted_out",
            Self::NotAPhone => "not_a_phone",
            Self::Country => "country",
            Self::Throttled => "throttled",
            Self::Money => "money",
        }
    }
}

/// The context of a log line.
#[derive(Clone, Copy, Debug)]
pub struct LogContext<'a> {
    /// The invocation.
    pub request_id: &'a str,
    /// The event's own time.
    pub at: Timestamp,
    /// The audit event that is logged, if any.
    pub event: Option<&'a Event>,
    /// A masked mail address or phone number, if any.
    pub address: Option<&'a str>,
}

/// Counts one event, by one dimension with few values.
pub fn count(metric: Metric, dimension: (&'static str, &str), context: LogContext<'_>) {
    println!("{}", line(metric, dimension, context));
}

/// Counts a text message that SNS accepted, by the country's prefix.
pub fn sms_sent(country: &str, context: LogContext<'_>) {
    count(Metric::SmsSent, ("Country", country), context);
}

/// Counts a text message that was not sent.
pub fn sms_failed(why: Reason, context: LogContext<'_>) {
    count(Metric::SmsFailed, ("Reason", why.name()), context);
}

/// Counts a text message beyond its country's budget of unverified ones, by the country's prefix.
pub fn unverified_budget_exhausted(country: &str, context: LogContext<'_>) {
    count(Metric::UnverifiedBudgetExhausted, ("Country", country), context);
}

/// Counts a mail, by kind and by whether SES accepted it.
pub fn mail(kind: &str, sent: bool, context: LogContext<'_>) {
    let metric = if sent { Metric::MailSent } else { Metric::MailFailed };
    count(metric, ("Message", kind), context);
}

/// Logs an event that was ignored, and why: only our own words, nothing from the event.
pub fn dropped(request_id: &str, why: &'static str) {
    let line = json!({ "level": "warn", "request_id": request_id, "outcome": "dropped", "why": why });
    println!("{line}");
}

/// Logs a failure that the work continues without.
pub fn degraded(why: &str) {
    println!("{}", json!({ "level": "warn", "outcome": "degraded", "why": why }));
}

/// Logs a record that failed, and will be retried until it is set aside.
pub fn failed(request_id: &str, record: &str, fault: &Fault) {
    let line = json!({
        "level": "error", "request_id": request_id, "outcome": "failed", "record": record, "fault": fault.to_string(),
    });
    println!("{line}");
}

fn line(metric: Metric, dimension: (&'static str, &str), context: LogContext<'_>) -> Value {
    let mut line = Map::new();
    line.insert("at".into(), context.at.iso().into());
    line.insert("level".into(), "info".into());
    line.insert("request_id".into(), context.request_id.into());
    line.insert("outcome".into(), metric.outcome().into());
    if let Some(event) = context.event {
        line.insert("subject".into(), event.subject.as_str().into());
        line.insert("event".into(), event.order().into());
    }
    if let Some(address) = context.address {
        line.insert("address".into(), address.into());
    }
    line.append(&mut self::metric(context.at, metric.name(), &[dimension]));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_a_log_entry_and_a_metric() {
        let context = LogContext {
            request_id: "r",
            at: Timestamp::from_millis(1_772_230_017_999),
            event: None,
            address: Some("m***@example.com"),
        };
        let expected = json!({
            "at": "2026-02-27T22:06:57Z", "level": "info", "request_id": "r", "outcome": "bounced",
            "address": "m***@example.com", "Type": "Permanent", "Bounced": 1,
            "_aws": {
                "Timestamp": 1_772_230_017_999_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "Countersign", "Dimensions": [[], ["Type"]],
                    "Metrics": [{ "Name": "Bounced", "Unit": "Count" }],
                }],
            },
        });
        assert_eq!(line(Metric::Bounced, ("Type", "Permanent"), context), expected);
    }

    #[test]
    fn an_unsent_text_message_is_counted_by_reason() {
        for (why, name) in [
            (Reason::Failed, "failed"),
            (Reason::OptedOut, "opted_out"),
            (Reason::NotAPhone, "not_a_phone"),
            (Reason::Country, "country"),
            (Reason::Throttled, "throttled"),
            (Reason::Money, "money"),
        ] {
            let context = LogContext {
                request_id: "r",
                at: Timestamp::from_seconds(1_772_230_017),
                event: None,
                address: Some("+38088*****30"),
            };
            let line = line(Metric::SmsFailed, ("Reason", why.name()), context);
            assert_eq!((&line["outcome"], &line["address"]), (&json!("sms_failed"), &json!("+38088*****30")));
            assert_eq!((&line["Reason"], &line["SmsFailed"]), (&json!(name), &json!(1)));
            let metrics = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(metrics["Dimensions"], json!([[], ["Reason"]]));
        }
    }
}
