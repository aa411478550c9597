//! Audit events: one row each, by the digest of where it was told.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        audit::{Event, What},
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, text, time},
        table::Row,
    },
};

impl Row for Event {
    const VARIABLE: &'static str = "AUDIT_TABLE";
    const KEY: &'static str = "id";
    type Id = [u8; 32];

    fn key(id: &[u8; 32]) -> AttributeValue {
        bytes(*id)
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.id))
            .with("what", text(self.what.name()))
            .with("kind", text(self.kind.as_str()))
            .with("subject", bytes(self.subject))
            .with("at", time(self.at))
            .with("attempt", bytes(self.attempt))
            .with("ttl", time(self.forget_at))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            id: row.bytes(Self::KEY)?.try_into().map_err(|_| Corrupt(Self::KEY))?,
            what: row.parsed("what", |name| What::ALL.into_iter().find(|what| what.name() == name))?,
            kind: row.text("kind")?.to_owned(),
            subject: row.bytes("subject")?.try_into().map_err(|_| Corrupt("subject"))?,
            at: row.time("at")?,
            attempt: row.bytes("attempt")?.try_into().map_err(|_| Corrupt("attempt"))?,
            forget_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.forget_at)
    }
}
