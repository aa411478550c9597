//! Events that SES publishes about a mail, as SNS delivers them to a function (SES Developer Guide, "Contents of event
//! data that Amazon SES publishes to Amazon SNS").

use std::collections::BTreeMap;

use countersign_shared::{
    domain::{
        crypto::secret::Digest,
        mail::suppression::{self, Reason, Source},
        people::name::EmailAddress,
        time::Timestamp,
    },
    observe::Metric,
};
use serde::Deserialize;
use serde_json::Value;

/// SES's limit of recipients of one mail.
const MOST_RECIPIENTS: usize = 50;
/// SNS's limit of a message, in bytes.
const LONGEST_MESSAGE: usize = 256 * 1024;

/// The consequence of an event.
pub enum Notice {
    /// The addresses receive no more mail.
    Feedback(Feedback),
    /// Only counted, by this type: the mail may still arrive, or was never sent.
    Counted(Metric, &'static str, Timestamp),
}

/// A permanent bounce, or a complaint.
pub struct Feedback {
    pub reason: Reason,
    /// SES's id of the event.
    pub id: String,
    pub at: Timestamp,
    /// The address that the mail was sent to.
    pub address: EmailAddress,
    /// What the mail was about.
    pub request: Option<Request>,
}

/// A request whose link has not been followed yet.
pub enum Request {
    Registration(Digest),
    PasswordReset(Digest),
}

#[derive(Deserialize)]
struct Message {
    // The second name is used by notifications without a configuration set.
    #[serde(rename = "eventType", alias = "notificationType")]
    kind: String,
    mail: Mail,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
}

#[derive(Deserialize)]
struct Mail {
    timestamp: String,
    destination: Vec<String>,
    #[serde(default)]
    tags: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    bounce_type: String,
    bounced_recipients: Vec<Value>,
    timestamp: String,
    feedback_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    complained_recipients: Vec<Value>,
    complaint_feedback_type: Option<String>,
    timestamp: String,
    feedback_id: String,
}

impl Complaint {
    /// Whether the recipient moved the mail out of the junk folder (RFC 6430): the opposite of a complaint.
    fn is_praise(&self) -> bool {
        let kind = self.complaint_feedback_type.as_deref().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("not-spam")
    }
}

impl Notice {
    /// Parses one record that SNS delivers.
    ///
    /// # Errors
    /// Why it is dropped, in our own words.
    pub fn read(record: &Value, source: &Source) -> Result<Self, &'static str> {
        let sns = &record["Sns"];
        if record["EventSource"] != "aws:sns" || sns["Type"] != "Notification" {
            return Err("not from SNS");
        }
        if sns["TopicArn"] != source.topic.as_str() {
            return Err("another topic");
        }
        let message = sns["Message"].as_str().unwrap_or_default();
        if message.len() > LONGEST_MESSAGE || !message.starts_with('{') {
            return Err("no event of SES");
        }
        let message: Message = serde_json::from_str(message).map_err(|_| "no event of SES")?;
        if only(&message.mail.tags, "ses:configuration-set") != Some(source.configuration_set.as_str()) {
            return Err("another configuration set");
        }
        message.notice()
    }
}

impl Message {
    fn notice(self) -> Result<Notice, &'static str> {
        match (self.kind.as_str(), self.bounce, self.complaint) {
            ("Bounce", Some(bounce), None) => match bounce.bounce_type.as_str() {
                "Permanent" => self.mail.feedback(
                    Reason::Bounce,
                    &bounce.bounced_recipients,
                    &bounce.timestamp,
                    bounce.feedback_id,
                ),
                "Transient" => Ok(Notice::Counted(Metric::Bounced, "Transient", time(&bounce.timestamp)?)),
                "Undetermined" => Ok(Notice::Counted(Metric::Bounced, "Undetermined", time(&bounce.timestamp)?)),
                _ => Err("a bounce of no known type"),
            },
            ("Complaint", None, Some(complaint)) if complaint.is_praise() => {
                Ok(Notice::Counted(Metric::Complained, "NotSpam", time(&complaint.timestamp)?))
            }
            ("Complaint", None, Some(complaint)) => self.mail.feedback(
                Reason::Complaint,
                &complaint.complained_recipients,
                &complaint.timestamp,
                complaint.feedback_id,
            ),
            ("Reject", None, None) => Ok(Notice::Counted(Metric::Rejected, "Content", time(&self.mail.timestamp)?)),
            _ => Err("an event of no known type"),
        }
    }
}

impl Mail {
    /// The recipients come from a message that an untrusted server wrote, so only the address that was mailed counts:
    /// otherwise an attacker could have any address suppressed. An address that cannot be parsed is ignored.
    fn feedback(
        &self,
        reason: Reason,
        recipients: &[Value],
        timestamp: &str,
        id: String,
    ) -> Result<Notice, &'static str> {
        if recipients.len() > MOST_RECIPIENTS {
            return Err("too many recipients");
        }
        if id.is_empty() || id.len() > 256 {
            return Err("no feedbackId");
        }
        let parse = |text: &str| EmailAddress::parse(suppression::address_in(text)).ok();
        let [destination] = self.destination.as_slice() else {
            return Err("not one destination");
        };
        let address = parse(destination).ok_or("a destination that is no address")?;
        let is_named = recipients
            .iter()
            .filter_map(|recipient| parse(recipient["emailAddress"].as_str()?))
            .any(|recipient| recipient.canonical() == address.canonical());
        if !is_named {
            return Err("no recipient that was mailed to");
        }
        Ok(Notice::Feedback(Feedback {
            reason,
            id,
            at: time(timestamp)?,
            address,
            request: self.request()?,
        }))
    }

    fn request(&self) -> Result<Option<Request>, &'static str> {
        if !self.tags.contains_key("request") {
            return Ok(None);
        }
        let digest = only(&self.tags, "request").and_then(digest).ok_or("no good request")?;
        Ok(match only(&self.tags, "kind") {
            Some("registration") => Some(Request::Registration(digest)),
            Some("password_reset") => Some(Request::PasswordReset(digest)),
            _ => return Err("a request of no known kind"),
        })
    }
}

/// A tag with exactly one value.
fn only<'a>(tags: &'a BTreeMap<String, Vec<String>>, name: &str) -> Option<&'a str> {
    match tags.get(name).map(Vec::as_slice) {
        Some([value]) => Some(value),
        _ => None,
    }
}

fn time(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse(text).ok_or("no good timestamp")
}

/// A digest of 64 lower-case hexadecimal digits.
fn digest(text: &str) -> Option<Digest> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let bytes = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(value(*high)? << 4 | value(*low)?),
        _ => None,
    });
    Digest::from_bytes(&bytes.collect::<Option<Vec<_>>>()?)
}
