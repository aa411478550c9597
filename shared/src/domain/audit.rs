//! Audit events: who did what to whom, and what happened without anybody asking for it (ASVS 16.3). They are only added, and looked up
//! by whom they are about. Each is told once, however often those who tell it come.

use sha2::{Digest as _, Sha256};

use super::{secret::framed, time::Timestamp};

/// How audit events are kept.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// For how many seconds.
    pub retention: u64,
}

/// What happened without anybody asking for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A row was over, and DynamoDB has removed it.
    Expired,
    /// A mail could not be delivered, and never will be.
    Bounced,
    /// Somebody reported a mail of ours as unwanted.
    Complained,
}

impl What {
    /// Its name in rows and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }
}

/// An event as stored: under whom or what it is about, in the order of time.
#[derive(Clone, Debug)]
pub struct Event {
    /// Whom or what it is about: `user:…`, `client:…`, or a kind of row and a pseudonym.
    pub subject: String,
    /// Digest of where it was told: what is told again has the same one.
    pub id: [u8; 32],
    /// The word for what happened.
    pub what: String,
    /// When.
    pub at: Timestamp,
    /// Who asked for it, and how, if somebody did.
    pub asked: Option<Asked>,
    /// Drawn for the attempt to write this row: one whose answer was lost is known by it from one that somebody else made.
    pub attempt: [u8; 16],
    /// When it is forgotten.
    pub forget_at: Timestamp,
}

/// A request, or an operator's command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who, if that was shown: `user:…`, `client:…`.
    pub actor: Option<String>,
    /// The route's pattern, or the command's name.
    pub route: String,
    /// The id that leads to the log, and from there to the address that it came from.
    pub request_id: String,
}

impl Event {
    /// An event that was told by what `source` identifies, about that subject.
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

    /// What a request came to, by the word for it. One invocation tells of each word once.
    #[must_use]
    pub fn asked(
        policy: Policy,
        what: &str,
        invocation: &str,
        subject: String,
        asked: Asked,
        attempt: [u8; 16],
        at: Timestamp,
    ) -> Self {
        let source: [&[u8]; 2] = [b"invocation", invocation.as_bytes()];
        Self::of(policy, what, &source, subject, Some(asked), attempt, at)
    }

    fn of(
        policy: Policy,
        what: &str,
        source: &[&[u8]],
        subject: String,
        asked: Option<Asked>,
        attempt: [u8; 16],
        at: Timestamp,
    ) -> Self {
        Self {
            id: Sha256::digest(framed(&[what.as_bytes(), &framed(source)])).into(),
            what: what.to_owned(),
            subject,
            at,
            asked,
            attempt,
            forget_at: at.deadline(policy.retention),
        }
    }

    /// What sorts the events of a subject: their time, and what tells those of one second from each other.
    #[must_use]
    pub fn order(&self) -> String {
        format!("{} {}", self.at.iso(), hex(&self.id[..16]))
    }
}

/// Whom or what an event is about, where only a digest may say it.
#[must_use]
pub fn pseudonym(kind: &str, digest: &[u8; 32]) -> String {
    format!("{kind}:{}", hex(digest))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The pseudonym of a row: whoever knows its key can find what happened to it, nobody can find the key.
#[must_use]
pub fn subject(kind: &str, key: &str) -> [u8; 32] {
    Sha256::digest(framed(&[b"row", kind.as_bytes(), key.as_bytes()])).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { retention: 10 };

    #[test]
    fn an_event_is_known_again_by_its_source() {
        let event = |what, source: &[&[u8]], attempt, at| {
            let at = Timestamp::from_seconds(at);
            Event::new(POLICY, what, source, pseudonym("Pins", &[7; 32]), [attempt; 16], at)
        };
        let first = event(What::Expired, &[b"ab", b"c"], 1, 5);
        assert_eq!(first.id, event(What::Expired, &[b"ab", b"c"], 2, 6).id);
        assert_eq!(
            (first.subject, first.forget_at.seconds()),
            (format!("Pins:{}", "07".repeat(32)), 15)
        );
        for other in [
            event(What::Bounced, &[b"ab", b"c"], 1, 5),
            event(What::Expired, &[b"a", b"bc"], 1, 5),
            event(What::Expired, &[b"abc"], 1, 5),
        ] {
            assert_ne!(first.id, other.id);
        }
    }

    #[test]
    fn a_row_has_a_pseudonym_of_its_own() {
        let ones = [("user", "a"), ("user", "b"), ("pin", "a"), ("use", "ra")].map(|(kind, key)| subject(kind, key));
        let different: std::collections::HashSet<_> = ones.iter().collect();
        assert_eq!(different.len(), ones.len());
    }

    #[test]
    fn the_events_of_a_subject_are_in_the_order_of_time() {
        let event = |what, invocation, at| {
            let asked = Asked {
                actor: None,
                route: "GET /".into(),
                request_id: "r".into(),
            };
            let at = Timestamp::from_seconds(at);
            Event::asked(POLICY, what, invocation, "user:1".into(), asked, [1; 16], at).order()
        };
        assert!(event("read", "a", 9) < event("read", "b", 10));
        assert_ne!(event("read", "a", 9), event("read", "b", 9));
        assert_ne!(event("read", "a", 9), event("told", "a", 9));
        assert_eq!(event("read", "a", 9), event("read", "a", 9));
    }
}
