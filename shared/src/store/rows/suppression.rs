//! Suppressed addresses: one row each, by the digest of the address.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        mail::suppression::{Reason, Suppression},
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, text, time},
        table::{Change, Row},
    },
};

impl Row for Suppression {
    const VARIABLE: &'static str = "SUPPRESSIONS_TABLE";
    const KEY: &'static str = "subject";
    type Id = [u8; 32];

    fn key(id: &[u8; 32]) -> AttributeValue {
        bytes(*id)
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.subject))
            .with("reason", text(self.reason.name()))
            .with("suppressed_at", time(self.at))
            .with("ttl", time(self.ends_at))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            subject: row.bytes(Self::KEY)?,
            reason: row.parsed("reason", Reason::parse)?,
            at: row.time("suppressed_at")?,
            ends_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.ends_at)
    }
}

/// Suppresses an address; refused when it is suppressed for as long already. A redelivered or late event changes
/// nothing. A complaint does not replace a bounce that still counts: a bounced address gets no mail, and one that
/// complained still gets recovery mail.
#[must_use]
pub fn suppress(suppression: &Suppression) -> Change {
    let mut values = vec![
        (":reason", text(suppression.reason.name())),
        (":at", time(suppression.at)),
        (":ttl", time(suppression.ends_at)),
    ];
    // DynamoDB rejects a value that no expression uses.
    let condition = match suppression.reason {
        Reason::Bounce => "attribute_not_exists(subject) OR #ttl < :ttl",
        Reason::Complaint => {
            values.push((":bounce", text(Reason::Bounce.name())));
            "attribute_not_exists(subject) OR (#ttl < :ttl AND (reason <> :bounce OR #ttl <= :at))"
        }
    };
    Change {
        update: "SET reason = :reason, suppressed_at = :at, #ttl = :ttl",
        condition,
        values,
    }
}
