//! Delivery feedback of SES, for the addresses of its mailbox simulator: an event of the configuration set, published
//! to the topic that the template names, and delivered to the functions that the template subscribes to it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::query::{Form, bare};
use crate::random;
use crate::state::Inner;
use crate::template::{ACCOUNT, REGION};

/// The SES simulator mailbox of an address, without its label. Its mail is accepted and not delivered.
pub(super) fn simulated(recipient: &str) -> Option<String> {
    let (mailbox, domain) = bare(recipient).rsplit_once('@')?;
    let mailbox = mailbox.split('+').next().unwrap_or_default().to_ascii_lowercase();
    domain.eq_ignore_ascii_case("simulator.amazonses.com").then_some(mailbox)
}

/// Publishes the mailbox's feedback event, if it has one with subscribers. The caller does not wait for it.
pub(super) fn publish(inner: &Arc<Inner>, form: &Form, message_id: &str, to: &str, mailbox: &str) {
    let Some(set) = form.get("ConfigurationSetName") else {
        return;
    };
    let wanted = inner
        .template
        .mail_events
        .iter()
        .filter(|events| events.configuration_set == set && events.kinds.iter().any(|kind| kind == mailbox));
    for events in wanted {
        let Some(event) = event(inner, form, message_id, to, mailbox) else {
            continue;
        };
        let payload = delivery(inner, &events.topic, &event).to_string();
        let subscribed = inner.template.subscriptions.iter();
        for subscription in subscribed.filter(|subscription| subscription.topic == events.topic) {
            let (inner, function, payload) = (Arc::clone(inner), subscription.function, payload.clone());
            tokio::spawn(async move { inner.run(function, None, payload.into()).await });
        }
    }
}

/// The event as SES writes it.
fn event(inner: &Inner, form: &Form, message_id: &str, to: &str, mailbox: &str) -> Option<Value> {
    let now = time(inner);
    let source = form.get("Source").unwrap_or_default();
    let feedback_id = format!("{}-000000", random::uuid());
    let mut tags = json!({
        "ses:configuration-set": [form.get("ConfigurationSetName")],
        "ses:from-domain": [bare(source).rsplit_once('@').map(|(_, domain)| domain)],
        "ses:source-ip": ["127.0.0.1"],
        "ses:operation": ["SendEmail"],
    });
    for index in 1.. {
        let tag = |part: &str| form.get(&format!("Tags.member.{index}.{part}"));
        let (Some(name), Some(value)) = (tag("Name"), tag("Value")) else {
            break;
        };
        tags[name] = json!([value]);
    }
    let mail = json!({
        "timestamp": now, "source": source, "sendingAccountId": ACCOUNT, "messageId": message_id, "destination": [to],
        "sourceArn": format!("arn:aws:ses:{REGION}:{ACCOUNT}:identity/{}", bare(source)),
        "headersTruncated": false,
        "headers": [{ "name": "From", "value": source }, { "name": "To", "value": to }],
        "commonHeaders": { "from": [source], "to": [to], "messageId": message_id },
        "tags": tags,
    });
    match mailbox {
        "bounce" => Some(json!({
            "eventType": "Bounce", "mail": mail,
            "bounce": {
                "feedbackId": feedback_id, "bounceType": "Permanent", "bounceSubType": "General", "timestamp": now,
                "bouncedRecipients": [{
                    "emailAddress": to, "action": "failed", "status": "5.1.1",
                    "diagnosticCode": "smtp; 550 5.1.1 user unknown",
                }],
                "reportingMTA": "dns; simulator.amazonses.com",
            },
        })),
        "complaint" => Some(json!({
            "eventType": "Complaint", "mail": mail,
            "complaint": {
                "feedbackId": feedback_id, "complaintSubType": null, "timestamp": now, "arrivalDate": now,
                "complainedRecipients": [{ "emailAddress": to }],
                "userAgent": "Amazon SES Mailbox Simulator", "complaintFeedbackType": "abuse",
            },
        })),
        _ => None,
    }
}

/// The event as SNS hands it to a function.
fn delivery(inner: &Inner, topic: &str, event: &Value) -> Value {
    json!({ "Records": [{
        "EventSource": "aws:sns", "EventVersion": "1.0",
        "EventSubscriptionArn": format!("{topic}:{}", random::uuid()),
        "Sns": {
            "Type": "Notification", "MessageId": random::uuid(), "TopicArn": topic,
            "Subject": "Amazon SES Email Event Notification", "Message": event.to_string(), "Timestamp": time(inner),
            "SignatureVersion": "1", "Signature": "local", "SigningCertUrl": "local", "UnsubscribeUrl": "local",
            "MessageAttributes": {},
        },
    }] })
}

/// With milliseconds, as both services write times.
fn time(inner: &Inner) -> String {
    inner.clock.iso().replace('Z', ".000Z")
}
