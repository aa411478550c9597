//! Audit events: what happened without anybody asking for it, and may have to be looked up later. Each is told once, however
//! often those who tell it come.

use sha2::{Digest as _, Sha256};

use super::{secret::framed, time::Timestamp};

/// How audit events are kept.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// For how many seconds.
    pub retention: u64,
}

/// What happened.
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
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Expired, Self::Bounced, Self::Complained];

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

/// An event as stored.
#[derive(Clone, Debug)]
pub struct Event {
    /// Digest of where it was told: what is told again has the same one.
    pub id: [u8; 32],
    /// What happened.
    pub what: What,
    /// To which kind of thing, such as `SupportPins`.
    pub kind: String,
    /// To which one: a pseudonym, the same for everything that happens to it.
    pub subject: [u8; 32],
    /// When.
    pub at: Timestamp,
    /// Drawn for the attempt to write this row: one whose answer was lost is known by it from one that somebody else made.
    pub attempt: [u8; 16],
    /// When it is forgotten.
    pub forget_at: Timestamp,
}

impl Event {
    /// An event that was told by what `source` identifies.
    #[must_use]
    pub fn new(policy: Policy, what: What, source: &[&[u8]], attempt: [u8; 16], at: Timestamp) -> Self {
        let framed_source = framed(source);
        Self {
            id: Sha256::digest(framed(&[what.name().as_bytes(), &framed_source])).into(),
            what,
            kind: String::new(),
            subject: [0; 32],
            at,
            attempt,
            forget_at: at.deadline(policy.retention),
        }
    }

    /// The same, about this subject.
    #[must_use]
    pub fn about(self, kind: impl Into<String>, subject: [u8; 32]) -> Self {
        let kind = kind.into();
        Self { kind, subject, ..self }
    }
}

/// The pseudonym of a row: whoever knows its key can find what happened to it, nobody can find the key.
#[must_use]
pub fn subject(kind: &str, key: &str) -> [u8; 32] {
    Sha256::digest(framed(&[b"row", kind.as_bytes(), key.as_bytes()])).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_again_by_its_source() {
        let event = |what, source: &[&[u8]], attempt, at| {
            let event = Event::new(
                Policy { retention: 10 },
                what,
                source,
                [attempt; 16],
                Timestamp::from_seconds(at),
            );
            event.about("Pins", [7; 32])
        };
        let first = event(What::Expired, &[b"ab", b"c"], 1, 5);
        assert_eq!(first.id, event(What::Expired, &[b"ab", b"c"], 2, 6).id);
        assert_eq!(
            (first.kind.as_str(), first.subject, first.forget_at.seconds()),
            ("Pins", [7; 32], 15)
        );
        for other in [
            event(What::Bounced, &[b"ab", b"c"], 1, 5),
            event(What::Expired, &[b"a", b"bc"], 1, 5),
            event(What::Expired, &[b"abc"], 1, 5),
        ] {
            assert_ne!(first.id, other.id);
        }
    }
}
