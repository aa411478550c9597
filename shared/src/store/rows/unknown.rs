//! Failed logins of addresses without an account: one row each in the rate limit table (`BUDGETS_TABLE`).

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        auth::lockout::{Block, Lockout, Why},
        people::unknown::UnknownIdentity,
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, time},
        table::{Change, Condition, Row},
    },
};

impl Row for UnknownIdentity {
    const VARIABLE: &'static str = "BUDGETS_TABLE";
    const KEY: &'static str = "subject";
    type Id = [u8; 32];

    fn key(id: &[u8; 32]) -> AttributeValue {
        bytes(*id)
    }

    fn to_item(&self) -> Item {
        let row = Writer::default()
            .with(Self::KEY, Self::key(&self.subject))
            .with("passwords", number(self.lockout.passwords))
            .with_some("ttl", self.forget_at.map(time));
        match self.lockout.block {
            None => row,
            Some(Block { at, until, .. }) => {
                row.with("blocked_at", time(at)).with_some("blocked_until", until.map(time))
            }
        }
        .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        let block = match row.has("blocked_at") {
            false => None,
            true => Some(Block {
                why: Why::Passwords,
                at: row.time("blocked_at")?,
                until: row.optional("blocked_until", Reader::time)?,
            }),
        };
        Ok(Self {
            subject: row.bytes(Self::KEY)?,
            lockout: Lockout {
                passwords: row.number("passwords")?,
                block,
                ..Lockout::default()
            },
            forget_at: Some(row.time("ttl")?),
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        // The rule checks its age, so that it sees the same row as the condition.
        None
    }
}

/// Writes the lockout after one more wrong password, `next` (see [`Lockout::failed`]). An allowed failure is an
/// addition, as for users: of concurrent failures none is lost, and none waits for another. Refused when the row has
/// changed since the read in a way that affects the decision.
#[must_use]
pub fn failed(read: &UnknownIdentity, next: &Lockout, forgiven: u64, now: Timestamp) -> Change {
    let ttl = time(UnknownIdentity::forget_at(now));
    if next.block.is_none() && !read.is_expired(now) {
        return Change {
            update: "SET #ttl = :ttl ADD passwords :one",
            condition: "attribute_not_exists(subject) OR (passwords < :forgiven AND attribute_not_exists(blocked_at))",
            values: vec![(":ttl", ttl), (":one", number(1)), (":forgiven", number(forgiven))],
        };
    }
    let mut values = vec![(":ttl", ttl), (":passwords", number(next.passwords))];
    let update = match next.block {
        None => "SET #ttl = :ttl, passwords = :passwords REMOVE blocked_at, blocked_until",
        Some(Block { at, until, .. }) => {
            values.push((":at", time(at)));
            match until {
                None => "SET #ttl = :ttl, passwords = :passwords, blocked_at = :at REMOVE blocked_until",
                Some(until) => {
                    values.push((":until", time(until)));
                    "SET #ttl = :ttl, passwords = :passwords, blocked_at = :at, blocked_until = :until"
                }
            }
        }
    };
    let condition = match read.forget_at {
        None => "attribute_not_exists(subject)",
        Some(forget_at) => {
            values.push((":read", number(read.lockout.passwords)));
            match read.lockout.block {
                // Failures of the same second are distinguished by their count.
                None => {
                    values.push((":forget", time(forget_at)));
                    "passwords = :read AND attribute_not_exists(blocked_at) AND #ttl = :forget"
                }
                Some(block) => {
                    values.push((":before", time(block.at)));
                    "passwords = :read AND blocked_at = :before"
                }
            }
        }
    };
    Change {
        update,
        condition,
        values,
    }
}

/// Holds for every row under such a key, and for none: a failure of a known user makes the same call as one of an
/// unknown identity, against enumeration.
#[must_use]
pub fn any() -> Condition {
    Condition {
        expression: "attribute_not_exists(acts)",
        values: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::auth::lockout::{Failed, Policy};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn identity(passwords: u64, block: Option<(u64, Option<u64>)>) -> UnknownIdentity {
        UnknownIdentity {
            lockout: Lockout {
                passwords,
                block: block.map(|(since, until)| Block {
                    why: Why::Passwords,
                    at: at(since),
                    until: until.map(at),
                }),
                ..Lockout::default()
            },
            forget_at: Some(at(1000)),
            ..UnknownIdentity::none([7; 32])
        }
    }

    #[test]
    fn an_identity_round_trips() {
        for identity in [
            identity(3, None),
            identity(4, Some((10, None))),
            identity(0, Some((10, Some(70)))),
        ] {
            let read = UnknownIdentity::from_item(&identity.to_item()).expect("our own row");
            assert_eq!(read, identity);
        }
    }

    #[test]
    fn every_placeholder_has_its_value() {
        let policy = |seconds| Policy {
            passwords: 3,
            otps: 3,
            seconds,
        };
        let none = UnknownIdentity::none([7; 32]);
        let dead = UnknownIdentity {
            forget_at: Some(at(20)),
            ..identity(3, None)
        };
        for (read, adds) in [
            (none, true),
            (identity(2, None), true),
            (identity(3, None), false),
            (identity(0, Some((10, Some(20)))), false),
            (dead, false),
        ] {
            for seconds in [None, Some(60)] {
                let next = read.lockout(at(20)).failed(&policy(seconds), Failed::Password, at(20));
                let change = failed(&read, &next, 3, at(20));
                let all = format!("{} {}", change.update, change.condition);
                assert_eq!(all.contains("ADD"), adds, "{all}");
                let words: Vec<_> = all.split([' ', ',', '(', ')']).collect();
                for (name, _) in &change.values {
                    assert!(words.contains(name), "{name} is not used: {all}");
                }
                let placeholders = words.iter().filter(|word| word.starts_with(':')).count();
                assert_eq!(placeholders, change.values.len(), "{all}");
            }
        }
    }
}
