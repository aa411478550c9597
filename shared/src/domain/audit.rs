//! The audit log: who did what to whom, and what happened without a request (ASVS 16.3). Events are append-only and are
//! looked up by their subject. Each event is recorded once, however often its source delivers it.

use sha2::{Digest as _, Sha256};

use super::{crypto::secret::framed, time::Timestamp};

/// Retention of the audit log.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How long events are kept, in seconds.
    pub retention: u64,
}

/// An event without a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A row expired, and DynamoDB's TTL sweep deleted it.
    Expired,
    /// A mail bounced permanently.
    Bounced,
    /// A recipient reported our mail as spam.
    Complained,
}

impl What {
    /// The name in rows and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }
}

/// An audit event as stored: by subject, in order of time.
#[derive(Clone, Debug)]
pub struct Event {
    /// The subject: `user:…`, `client:…`, or a kind of row and a pseudonym.
    pub subject: String,
    /// Hash of the event's source, so that a redelivered event gets the same id and is recorded once.
    pub id: [u8; 32],
    /// The name of the event.
    pub what: String,
    /// When it happened.
    pub at: Timestamp,
    /// The request that caused it, if there was one.
    pub request: Option<AuditedRequest>,
    /// Random id of the attempt to write this row, which distinguishes our write from another request's after a lost
    /// response.
    pub attempt: [u8; 16],
    /// When the TTL sweep may delete the event.
    pub forget_at: Timestamp,
}

/// A request, or an operator's command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedRequest {
    /// The authenticated actor, if any: `user:…`, `client:…`.
    pub actor: Option<String>,
    /// The route's pattern, or the command's name.
    pub route: String,
    /// The request id, which leads to the log and from there to the source address.
    pub request_id: String,
}

impl Event {
    /// An event about that subject, whose source is identified by `source`.
    #[must_use]
    pub fn new(
        policy: Policy,
        what: What,
        source: &[&[u8]],
        subject: String,
        attempt: [u8; 16],
        at: Timestamp,
    ) -> Self {
        Self::of(policy, what.name(), source, subject, None, attempt, at)
    }

    /// The outcome of a request, as a named event. One invocation records each name once.
    #[must_use]
    pub fn of_request(
        policy: Policy,
        what: &str,
        invocation: &str,
        subject: String,
        request: AuditedRequest,
        attempt: [u8; 16],
        at: Timestamp,
    ) -> Self {
        let source: [&[u8]; 2] = [b"invocation", invocation.as_bytes()];
        Self::of(policy, what, &source, subject, Some(request), attempt, at)
    }

    fn of(
        policy: Policy,
        what: &str,
        source: &[&[u8]],
        subject: String,
        request: Option<AuditedRequest>,
        attempt: [u8; 16],
        at: Timestamp,
    ) -> Self {
        Self {
            id: Sha256::digest(framed(&[what.as_bytes(), &framed(source)])).into(),
            what: what.to_owned(),
            subject,
            at,
            request,
            attempt,
            forget_at: at.deadline(policy.retention),
        }
    }

    /// The sort key of a subject's events: their time, and an id that distinguishes events of the same second.
    #[must_use]
    pub fn order(&self) -> String {
        format!("{} {}", self.at.iso(), hex(&self.id[..16]))
    }
}

/// The subject of an event, where only a digest of it may be stored.
#[must_use]
pub fn pseudonym(kind: &str, digest: &[u8; 32]) -> String {
    format!("{kind}:{}", hex(digest))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The pseudonym of a row: it can be computed from the row's key, but the key cannot be recovered from it.
#[must_use]
pub fn subject(kind: &str, key: &str) -> [u8; 32] {
    Sha256::digest(framed(&[b"row", kind.as_bytes(), key.as_bytes()])).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { retention: 10 };

    #[test]
    fn an_event_is_identified_by_its_source() {
        let event = |what, source: &[&[u8]], attempt, at| {
            let at = Timestamp::from_seconds(at);
            Event::new(POLICY, what, source, pseudonym("Pins", &[7; 32]), [attempt; 16], at)
        };
        let first = event(What::Expired, &[b"ab", b"c"], 1, 5);
        assert_eq!(first.id, event(What::Expired, &[b"ab", b"c"], 2, 6).id);
        assert_eq!((first.subject, first.forget_at.seconds()), (format!("Pins:{}", "07".repeat(32)), 15));
        for other in [
            event(What::Bounced, &[b"ab", b"c"], 1, 5),
            event(What::Expired, &[b"a", b"bc"], 1, 5),
            event(What::Expired, &[b"abc"], 1, 5),
        ] {
            assert_ne!(first.id, other.id);
        }
    }

    #[test]
    fn each_row_has_its_own_pseudonym() {
        let ones = [("user", "a"), ("user", "b"), ("pin", "a"), ("use", "ra")].map(|(kind, key)| subject(kind, key));
        let different: std::collections::HashSet<_> = ones.iter().collect();
        assert_eq!(different.len(), ones.len());
    }

    #[test]
    fn the_events_of_a_subject_are_ordered_by_time() {
        let event = |what, invocation, at| {
            let request = AuditedRequest {
                actor: None,
                route: "GET /".into(),
                request_id: "r".into(),
            };
            let at = Timestamp::from_seconds(at);
            Event::of_request(POLICY, what, invocation, "user:1".into(), request, [1; 16], at).order()
        };
        assert!(event("read", "a", 9) < event("read", "b", 10));
        assert_ne!(event("read", "a", 9), event("read", "b", 9));
        assert_ne!(event("read", "a", 9), event("told", "a", 9));
        assert_eq!(event("read", "a", 9), event("read", "a", 9));
    }
}
