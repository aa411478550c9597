//! Suppression of addresses after bounces and complaints (security.md R33). The events have the format of the SES
//! Developer Guide, "Examples of event data that Amazon SES publishes to Amazon SNS", and the Lambda Developer Guide.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{clock::eventually, world::World};

const BOUNCE: &str = include_str!("fixtures/ses-bounce.json");
const COMPLAINT: &str = include_str!("fixtures/ses-complaint.json");
const REJECT: &str = include_str!("fixtures/ses-reject.json");
const RECIPIENT: &str = "recipient@example.com";
const REQUEST: [u8; 32] = [0xa7; 32];

/// An event from SES.
struct Event(Value);

impl Event {
    fn new(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("JSON"))
    }

    fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        let parent = self.0.pointer_mut(parent).unwrap_or_else(|| panic!("no {pointer}"));
        match (parent, name.parse::<usize>()) {
            (Value::Array(list), Ok(index)) => list[index] = value.into(),
            (parent, _) => parent[name] = value.into(),
        }
        self
    }

    fn without(mut self, pointer: &str) -> Self {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        let parent = self.0.pointer_mut(parent).and_then(Value::as_object_mut);
        parent.expect("an object").remove(name);
        self
    }

    /// Sets the request that the mail was about.
    fn about(self, kind: &str) -> Self {
        let hex: String = REQUEST.iter().map(|byte| format!("{byte:02x}")).collect();
        self.with("/mail/tags/request", json!([hex])).with("/mail/tags/kind", json!([kind]))
    }

    /// Sets the second of the event.
    fn at(self, seconds: u64) -> Self {
        let at = time::OffsetDateTime::from_unix_timestamp(seconds.try_into().expect("fits")).expect("a time");
        let at = at.format(&time::format_description::well_known::Rfc3339).expect("RFC 3339");
        let inside = if self.0.get("complaint").is_some() {
            "complaint"
        } else {
            "bounce"
        };
        self.with(&format!("/{inside}/timestamp"), at)
    }

    /// The event as SNS delivers it.
    fn delivered(&self) -> Value {
        let mut delivery = Event::new(include_str!("fixtures/sns-delivery.json"));
        delivery = delivery.with("/Records/0/Sns/Message", self.0.to_string());
        delivery.0
    }
}

impl World {
    /// Delivers an event; returns whether the function succeeded, or wants a retry.
    async fn feed_back(&self, delivery: &Value) -> bool {
        let answer = self.post("/2015-03-31/functions/delivery-feedback/invocations").json(delivery).send_local().await;
        answer.is_null()
    }

    /// Stores a pending request, with the fields that the function reads.
    async fn pending(&self, table: &str) {
        let request = self.dynamodb();
        let request = request
            .put_item()
            .table_name(format!("countersign-{table}"))
            .item("digest", AttributeValue::B(Blob::new(REQUEST)))
            .item("ttl", AttributeValue::N((self.now().await + 3600).to_string()));
        request.send().await.expect("a row");
    }

    fn dropped(&self) -> usize {
        let lines = self.cloud().logs();
        let own = lines.iter().filter(|line| line.starts_with("delivery-feedback | "));
        own.filter(|line| line.contains("\"outcome\":\"dropped\"")).count()
    }
}

/// `SHA-256(framed("suppression", address))`: each part is prefixed with its length in eight bytes.
fn subject(address: &str) -> Vec<u8> {
    let mut framed = Vec::new();
    for part in ["suppression", address] {
        framed.extend((part.len() as u64).to_be_bytes());
        framed.extend(part.bytes());
    }
    Sha256::digest(framed).to_vec()
}

fn base64(bytes: &[u8]) -> Value {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes).into()
}

#[tokio::test]
async fn a_hard_bounce_suppresses_deletes_the_request_and_is_recorded_once() {
    let world = World::new().await;
    let now = world.now().await;
    world.pending("RegistrationRequestsTable").await;
    let event = Event::new(BOUNCE)
        .at(now)
        .about("registration")
        // The same mailbox in another spelling, as a mail server may write it, and delivered twice.
        .with(
            "/bounce/bouncedRecipients",
            json!([{ "emailAddress": "Recipient@EXAMPLE.com" }, { "emailAddress": RECIPIENT }]),
        );
    for _ in 0..3 {
        assert!(world.feed_back(&event.delivered()).await);
    }
    let expected = json!([{
        "subject": { "B": base64(&subject(RECIPIENT)) }, "reason": { "S": "bounce" },
        "suppressed_at": { "N": now.to_string() }, "ttl": { "N": (now + 30 * 86_400).to_string() },
    }]);
    assert_eq!(Value::from(world.rows("SuppressionsTable").await), expected);
    assert_eq!(world.rows("RegistrationRequestsTable").await, Vec::<Value>::new());

    let [row] = world.audit_rows().await.try_into().expect("one row");
    let hex: String = subject(RECIPIENT).iter().map(|byte| format!("{byte:02x}")).collect();
    let expected = json!({
        "id": row["id"], "event": row["event"], "attempt": row["attempt"], "subject": { "S": format!("Mail:{hex}") },
        "what": { "S": "bounced" }, "type": { "S": "mail.bounced" },
        "at": { "N": now.to_string() }, "ttl": { "N": (now + 365 * 86_400).to_string() },
    });
    assert_eq!(row, expected);
    let [line] = world.metrics("delivery-feedback", "Bounced").try_into().expect("one line");
    assert_eq!((&line["Type"], &line["outcome"]), (&json!("Permanent"), &json!("bounced")));
    assert_eq!(line["address"].as_str().map(str::to_lowercase).as_deref(), Some("r***@example.com"));
    let lines = world.cloud().logs();
    let shown = lines.iter().find(|line| line.to_lowercase().contains(RECIPIENT));
    assert_eq!(shown, None, "an address is masked");
}

#[tokio::test]
async fn a_complaint_suppresses_and_deletes_the_request() {
    let world = World::new().await;
    let now = world.now().await;
    world.pending("PasswordResetRequestsTable").await;
    world.pending("RegistrationRequestsTable").await;
    // In the format of notifications that are configured on an identity.
    let event = Event::new(COMPLAINT).at(now).about("password_reset");
    let event = event.with("/notificationType", "Complaint").without("/eventType");
    for _ in 0..3 {
        assert!(world.feed_back(&event.delivered()).await);
    }
    let rows = world.rows("SuppressionsTable").await;
    assert_eq!((rows.len(), &rows[0]["reason"]["S"]), (1, &json!("complaint")));
    assert_eq!(world.rows("PasswordResetRequestsTable").await, Vec::<Value>::new());
    assert_eq!(world.rows("RegistrationRequestsTable").await.len(), 1, "another one's");
    assert_eq!(world.metrics("delivery-feedback", "Complained").len(), 1);
    assert_eq!(world.audit_rows().await.len(), 1);
}

/// A bounced address gets no mail, whatever is reported later; after a complaint alone, recovery mails are still sent.
#[tokio::test]
async fn a_complaint_does_not_replace_an_active_bounce() {
    const LIFETIME: u64 = 30 * 86_400;
    let world = World::new().await;
    let now = world.now().await;
    for (feedback, at, reason, since) in [
        (COMPLAINT, now - 1, "complaint", now - 1),
        // A bounce replaces a complaint.
        (BOUNCE, now, "bounce", now),
        (COMPLAINT, now + LIFETIME - 1, "bounce", now),
        (COMPLAINT, now + LIFETIME, "complaint", now + LIFETIME),
    ] {
        let name = if feedback == BOUNCE {
            "/bounce/feedbackId"
        } else {
            "/complaint/feedbackId"
        };
        let event = Event::new(feedback).at(at).with(name, format!("feedback-{at}"));
        assert!(world.feed_back(&event.delivered()).await);
        let rows = world.rows("SuppressionsTable").await;
        let [row] = rows.as_slice() else {
            panic!("one row: {rows:?}")
        };
        let expected = (reason, since.to_string());
        assert_eq!(
            (&row["reason"]["S"], &row["suppressed_at"]["N"]),
            (&json!(expected.0), &json!(expected.1)),
            "at {at}"
        );
    }
}

#[tokio::test]
async fn a_not_spam_report_is_only_counted() {
    let world = World::new().await;
    world.pending("RegistrationRequestsTable").await;
    let before = world.all_rows().await;
    for kind in ["not-spam", "NOT-SPAM"] {
        let event = Event::new(COMPLAINT).about("registration");
        let event = event.with("/complaint/complaintFeedbackType", kind);
        assert!(world.feed_back(&event.delivered()).await);
    }
    assert_eq!(world.all_rows().await, before);
    let kinds: Vec<_> = world
        .metrics("delivery-feedback", "Complained")
        .into_iter()
        .map(|line| line["Type"].clone())
        .collect();
    assert_eq!(kinds, ["NotSpam", "NotSpam"]);
}

#[tokio::test]
async fn a_complaint_of_any_other_type_suppresses() {
    let world = World::new().await;
    let types = [
        json!("abuse"),
        json!("fraud"),
        json!("virus"),
        json!("other"),
        json!("auth-failure"),
        json!(null),
    ];
    for (n, kind) in types.into_iter().enumerate() {
        let address = format!("r{n}@example.com");
        let event = Event::new(COMPLAINT)
            .with("/complaint/complaintFeedbackType", kind)
            .with("/complaint/feedbackId", format!("feedback-{n}"))
            .with("/complaint/complainedRecipients/0/emailAddress", address.as_str())
            .with("/mail/destination/0", address.as_str());
        assert!(world.feed_back(&event.delivered()).await);
        assert_eq!(world.rows("SuppressionsTable").await.len(), n + 1);
    }
}

#[tokio::test]
async fn the_destination_is_found_in_any_format_of_mail_servers() {
    let world = World::new().await;
    let readable = |text: &str| json!([{ "emailAddress": text }]);
    let recipients = [
        readable("<Recipient@EXAMPLE.com>"),
        readable("\"R. Cipient\" <recipient@example.com>"),
        readable("rfc822;recipient@example.com"),
        readable("RFC822; <recipient@example.com>"),
        readable(" recipient@example.com\r\n"),
        readable("recipient@example.com (R. Cipient)"),
        // An unreadable or unrelated recipient does not hide a readable one.
        json!([{ "emailAddress": "nobody" }, { "emailAddress": RECIPIENT }]),
        json!([{ "emailAddress": "<victim@example.com>" }, { "emailAddress": RECIPIENT }]),
        json!([{ "emailAddress": null }, {}, null, 7, { "emailAddress": RECIPIENT }]),
    ];
    for (n, recipients) in recipients.into_iter().enumerate() {
        let event = Event::new(BOUNCE)
            .at(world.now().await)
            .with("/bounce/bouncedRecipients", recipients.clone())
            .with("/bounce/feedbackId", format!("feedback-{n}"));
        assert!(world.feed_back(&event.delivered()).await);
        assert_eq!(world.audit_rows().await.len(), n + 1, "{recipients}");
        let rows = world.rows("SuppressionsTable").await;
        let subjects: Vec<_> = rows.iter().map(|row| &row["subject"]["B"]).collect();
        assert_eq!(subjects, [&base64(&subject(RECIPIENT))], "{recipients}");
    }
    assert_eq!(world.dropped(), 0);
}

#[tokio::test]
async fn a_transient_or_undetermined_bounce_is_only_counted() {
    let world = World::new().await;
    world.pending("RegistrationRequestsTable").await;
    let before = world.all_rows().await;
    for kind in ["Transient", "Undetermined"] {
        let event = Event::new(BOUNCE).about("registration").with("/bounce/bounceType", kind);
        assert!(world.feed_back(&event.delivered()).await);
    }
    assert!(world.feed_back(&Event::new(REJECT).delivered()).await);
    assert_eq!(world.all_rows().await, before);
    let kinds: Vec<_> =
        world.metrics("delivery-feedback", "Bounced").into_iter().map(|line| line["Type"].clone()).collect();
    assert_eq!(kinds, ["Transient", "Undetermined"]);
    assert_eq!(world.metrics("delivery-feedback", "Rejected").len(), 1);
}

#[tokio::test]
async fn a_suppression_is_never_shortened() {
    let world = World::with(&[("SuppressionLifetime", "86400")]).await;
    let now = world.now().await;
    let ends = async || {
        let rows = world.rows("SuppressionsTable").await;
        assert_eq!(rows.len(), 1);
        let ttl = rows[0]["ttl"]["N"].as_str().expect("N");
        ttl.parse::<u64>().expect("a number") - now
    };
    for (at, end) in [
        (now + 100, 86_500),
        (now, 86_500),
        (now + 99, 86_500),
        (now + 101, 86_501),
    ] {
        let event = Event::new(BOUNCE).at(at).with("/bounce/feedbackId", format!("feedback-{at}"));
        assert!(world.feed_back(&event.delivered()).await);
        assert_eq!(ends().await, end);
    }
    assert_eq!(world.audit_rows().await.len(), 4, "four different bounces");
}

#[tokio::test]
async fn forged_and_malformed_events_change_nothing() {
    let world = World::new().await;
    for table in ["RegistrationRequestsTable", "PasswordResetRequestsTable"] {
        world.pending(table).await;
    }
    let before = world.all_rows().await;
    let event = || Event::new(BOUNCE).about("registration");
    let recipients = |count: usize| -> Value {
        let one = |n: usize| json!({ "emailAddress": format!("r{n}@example.com") });
        (0..count).map(one).collect()
    };
    let messages = [
        event().with("/mail/tags/ses:configuration-set", json!(["elsewhere"])),
        event().with("/mail/tags/ses:configuration-set", json!(["countersign-MailConfiguration", "elsewhere"])),
        event().with("/mail/tags/ses:configuration-set", "countersign-MailConfiguration"),
        event().without("/mail/tags/ses:configuration-set"),
        event().without("/mail/tags"),
        event().without("/mail"),
        event().without("/bounce"),
        event().without("/eventType"),
        event().without("/bounce/timestamp"),
        event().without("/bounce/feedbackId"),
        event().without("/bounce/bouncedRecipients"),
        event().without("/mail/destination"),
        event().with("/eventType", "Delivery"),
        event().with("/eventType", "Complaint"),
        event().with("/eventType", json!(["Bounce"])),
        event().with("/notificationType", "Bounce"),
        event().with("/bounce/bounceType", "permanent"),
        event().with("/bounce/timestamp", "yesterday"),
        event().with("/bounce/feedbackId", ""),
        event().with("/bounce/feedbackId", "f".repeat(10_000)),
        event().with("/bounce/bouncedRecipients", json!([])),
        event().with("/bounce/bouncedRecipients", recipients(51)),
        event().with("/bounce/bouncedRecipients", recipients(2000)),
        event().with("/mail/destination", json!([])),
        event().with("/mail/destination", json!([RECIPIENT, "other@example.com"])),
        // Not an address that was mailed to: the report comes from an untrusted server.
        event().with("/bounce/bouncedRecipients", json!([{ "emailAddress": "victim@example.com" }])),
        event().with("/bounce/bouncedRecipients/0/emailAddress", format!("{RECIPIENT}\r\nBcc: x@example.com")),
        event().with("/bounce/bouncedRecipients/0/emailAddress", "nobody"),
        event().with("/bounce/bouncedRecipients/0/emailAddress", "<>"),
        event().with("/bounce/bouncedRecipients/0/emailAddress", "x400;recipient@example.com"),
        event().with("/bounce/bouncedRecipients/0/emailAddress", "recipient@example.com <victim@example.com>"),
        event().with("/mail/destination", json!(["nobody"])),
        event().with("/mail/tags/request", json!(["a7"])),
        event().with("/mail/tags/request", json!(["g".repeat(64)])),
        event().with("/mail/tags/request", json!(["A7".repeat(32)])),
        event().with("/mail/tags/request", json!([])),
        event().with("/mail/tags/kind", json!(["users"])),
        event().without("/mail/tags/kind"),
    ];
    let mut deliveries: Vec<Value> = messages.iter().map(Event::delivered).collect();
    for (pointer, value) in [
        ("/Records/0/Sns/TopicArn", json!("arn:aws:sns:us-east-1:123456789012:elsewhere")),
        ("/Records/0/Sns/TopicArn", json!(null)),
        ("/Records/0/Sns/Type", json!("SubscriptionConfirmation")),
        ("/Records/0/EventSource", json!("aws:sqs")),
        ("/Records/0/Sns/Message", json!("Successfully validated SNS topic for Amazon SES event publishing.")),
        ("/Records/0/Sns/Message", json!("[]")),
        ("/Records/0/Sns/Message", json!("{")),
        ("/Records/0/Sns/Message", json!("")),
        ("/Records/0/Sns/Message", event().0),
        ("/Records/0/Sns/Message", json!(format!("{{\"eventType\":{}{}", "[".repeat(5000), "]".repeat(5000)))),
        ("/Records/0/Sns/Message", json!(format!("{}{}", event().0, " ".repeat(300 * 1024)))),
        ("/Records/0/Sns", json!(null)),
        ("/Records/0", json!("record")),
    ] {
        deliveries.push(Event(event().delivered()).with(pointer, value).0);
    }
    deliveries.extend([
        json!({}),
        json!([]),
        json!({ "Records": [] }),
        json!({ "Records": 1 }),
        json!("text"),
    ]);
    for (n, delivery) in deliveries.iter().enumerate() {
        let shown: String = delivery.to_string().chars().take(2000).collect();
        assert!(world.feed_back(delivery).await, "an endless retry of {shown}");
        // A log line may arrive after the answer.
        eventually(async || world.dropped() > n).await;
        assert_eq!(world.dropped(), n + 1, "{shown}");
    }
    assert_eq!(world.all_rows().await, before);
    // None of the event's text is logged.
    let lines = world.cloud().logs().join("\n");
    for word in ["victim", "Bcc", "elsewhere", "yesterday"] {
        assert!(!lines.contains(word), "{word} is in the log");
    }
}

#[tokio::test]
async fn an_event_is_retried_while_the_store_fails() {
    let world = World::new().await;
    world.pending("RegistrationRequestsTable").await;
    let event = Event::new(BOUNCE).at(world.now().await).about("registration").delivered();
    for kind in ["error", "throttle", "conflict"] {
        world
            .inject(json!({ "service": "dynamodb", "operation": "TransactWriteItems", "kind": kind, "times": 99 }))
            .await;
        assert!(!world.feed_back(&event).await, "{kind}");
        world.clear_faults().await;
    }
    assert_eq!(world.metrics("delivery-feedback", "Bounced").len(), 0, "not before all is done");
    for operation in ["UpdateItem", "DeleteItem", "PutItem"] {
        let fault = json!({ "service": "dynamodb", "operation": operation, "kind": "drop_response", "times": 1 });
        world.inject(fault).await;
    }
    assert!(world.feed_back(&event).await);
    assert!(world.feed_back(&event).await);
    assert_eq!(world.rows("SuppressionsTable").await.len(), 1);
    assert_eq!(world.rows("RegistrationRequestsTable").await.len(), 0);
    assert_eq!(world.audit_rows().await.len(), 1);
    assert_eq!(world.metrics("delivery-feedback", "Bounced").len(), 1);
}

#[tokio::test]
async fn a_mail_to_the_simulator_causes_an_event() {
    let world = World::new().await;
    for (table, kind, address, count) in [
        ("RegistrationRequestsTable", "registration", "bounce@simulator.amazonses.com", 1),
        ("PasswordResetRequestsTable", "password_reset", "complaint+label@simulator.amazonses.com", 2),
    ] {
        world.pending(table).await;
        let hex: String = REQUEST.iter().map(|byte| format!("{byte:02x}")).collect();
        let sent = reqwest::Client::new()
            .post(world.cloud().endpoint("ses"))
            .form(&[
                ("Action", "SendEmail"),
                ("Source", "Us <us@pbx.era-platform.ru>"),
                ("ConfigurationSetName", "countersign-MailConfiguration"),
                ("Destination.ToAddresses.member.1", address),
                ("Message.Subject.Data", "subject"),
                ("Message.Body.Text.Data", "text"),
                ("Tags.member.1.Name", "kind"),
                ("Tags.member.1.Value", kind),
                ("Tags.member.2.Name", "request"),
                ("Tags.member.2.Value", &hex),
            ])
            .send()
            .await
            .expect("SES answers");
        assert_eq!(sent.status(), 200);
        eventually(async || world.audit_rows().await.len() == count).await;
        let rows = world.rows("SuppressionsTable").await;
        let own = json!({ "B": base64(&subject(address)) });
        assert!(rows.iter().any(|row| row["subject"] == own), "{address} in {rows:?}");
        assert_eq!(world.rows(table).await.len(), 0);
    }
    assert_eq!(world.get("/_local/messages").send_local().await, json!([]));
}
