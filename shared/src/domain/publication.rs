//! What was mailed or published of the audit log. The log's stream delivers an event at least once; a row remembers what
//! was done with it, so that an event that comes again is neither mailed nor published again.

use sha2::{Digest as _, Sha256};

use crate::domain::{audit::Event, crypto::secret::framed, time::Timestamp};

/// How long it is remembered, in seconds, from the event on: a stream keeps a record for 24 hours, and an event that
/// was put aside may be published by hand on the day after.
const REMEMBERED: u64 = 2 * 86_400;

/// Where an event goes. Each channel has its own row, so that a failure of one does not repeat the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The user's mailbox.
    Mail,
    /// The event bus.
    Bus,
}

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Bus => "bus",
        }
    }
}

/// An event that was mailed or published.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Hash of the event's id and the channel.
    pub key: [u8; 32],
    /// When the TTL sweep may delete the row.
    pub forget_at: Timestamp,
}

impl Publication {
    /// The publication of an event. It is the same whenever it is computed: the time is the event's own.
    #[must_use]
    pub fn of(event: &Event, channel: Channel) -> Self {
        Self {
            key: Sha256::digest(framed(&[b"publication", &event.id, channel.name().as_bytes()])).into(),
            forget_at: event.at.deadline(REMEMBERED),
        }
    }
}

/// Whether an event is too old to be mailed or published: no row can tell any more whether it was. The stream delivers
/// such an event only if its row was written again, as when the audit log is restored from a backup.
#[must_use]
pub fn is_too_old(event: &Event, now: Timestamp) -> bool {
    event.at.deadline(REMEMBERED).is_expired(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::{Act, Policy};

    fn event(source: &[u8], at: u64) -> Event {
        let act = Act {
            what: "signed_in",
            published_as: Some("user.signed_in"),
            subject: "user:x".into(),
            domain: None,
            notice: None,
        };
        Event::of_source(Policy { retention: 10 }, act, &[source], [1; 16], Timestamp::from_seconds(at))
    }

    #[test]
    fn each_channel_of_an_event_has_its_own_publication() {
        let (one, other) = (event(b"a", 5), event(b"b", 5));
        let keys = [&one, &other].map(|event| [Channel::Mail, Channel::Bus].map(|to| Publication::of(event, to).key));
        let different: std::collections::HashSet<_> = keys.iter().flatten().collect();
        assert_eq!(different.len(), 4);
        assert_eq!(Publication::of(&event(b"a", 9), Channel::Bus).key, keys[0][1], "the id alone identifies an event");
    }

    #[test]
    fn a_publication_is_remembered_for_longer_than_the_stream_keeps_a_record() {
        let publication = Publication::of(&event(b"a", 5), Channel::Mail);
        assert!(publication.forget_at > Timestamp::from_seconds(5 + 24 * 3600));
    }

    #[test]
    fn an_event_is_too_old_once_its_publication_is_forgotten() {
        let event = event(b"a", 5);
        let end = Publication::of(&event, Channel::Bus).forget_at.seconds();
        for (now, expected) in [(5, false), (end - 1, false), (end, true)] {
            assert_eq!(is_too_old(&event, Timestamp::from_seconds(now)), expected, "{now}");
        }
    }
}
