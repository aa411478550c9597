//! Verifications: one row for each destination of an account, with the live verification of each service and the recent
//! guesses at all of their codes.

use aws_sdk_dynamodb::types::AttributeValue;

use super::rate_limit::{acts, list};
use crate::{
    domain::{
        crypto::encryption::Encrypted,
        time::Timestamp,
        verification::{
            code::CodeSource,
            destination::{Channel, DestinationId},
            policy::GuessLedger,
            record::{DestinationRecord, Entry, Message, Verification},
            sid::{AttemptSid, ServiceSid},
        },
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, maps, number, text, time},
        table::{Condition, Row},
    },
};

impl Row for DestinationRecord {
    const VARIABLE: &'static str = "VERIFICATIONS_TABLE";
    const KEY: &'static str = "id";
    const IS_REPORTED: bool = false;
    type Id = DestinationId;

    fn key(id: &DestinationId) -> AttributeValue {
        bytes(*id.bytes())
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.id))
            .with("version", number(self.version))
            .with("guesses", list(&self.ledger.0))
            .with("entries", maps(self.entries.iter().map(entry)))
            .with("ttl", time(self.forget_at))
            .with_some("approved_at", self.approved_at.map(time))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            id: DestinationId::from_bytes(row.bytes(Self::KEY)?),
            version: row.number("version")?,
            ledger: GuessLedger(acts(row, "guesses")?),
            entries: row.maps("entries")?.map(read_entry).collect::<Result<_, _>>()?,
            approved_at: row.optional("approved_at", Reader::time)?,
            forget_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        // The rules check the age of each entry, so that they see the same row as the condition.
        None
    }
}

fn entry(entry: &Entry) -> Item {
    Writer::default()
        .with("service", bytes(*entry.service.bytes()))
        .with("to", encrypted(&entry.to))
        .with("sends", list(&entry.sends))
        .with_some("open", entry.open.as_ref().map(|open| AttributeValue::M(verification(open))))
        .item()
}

fn read_entry(row: Reader<'_>) -> Result<Entry, Corrupt> {
    Ok(Entry {
        service: ServiceSid::from_bytes(row.bytes("service")?),
        to: read_encrypted(row, "to")?,
        sends: acts(row, "sends")?,
        open: row.optional("open", |row, name| read_verification(Reader(row.map(name)?)))?,
    })
}

fn verification(open: &Verification) -> Item {
    let item = Writer::default()
        .with("nonce", bytes(open.nonce))
        .with("created_at", time(open.created_at))
        .with("updated_at", time(open.updated_at))
        .with("expires_at", time(open.expires_at))
        .with("wrong", number(open.wrong))
        .with("messages", maps(open.messages.iter().map(message)))
        .with_some("payment", open.payment.as_ref().map(encrypted));
    match &open.code {
        CodeSource::Derived { key, length } => {
            item.with("key_id", number((*key).into())).with("length", number(*length as u64))
        }
        CodeSource::Custom { key, mac } => item.with("key_id", number((*key).into())).with("mac", bytes(*mac)),
    }
    .item()
}

fn read_verification(row: Reader<'_>) -> Result<Verification, Corrupt> {
    let key = row.number("key_id")?;
    Ok(Verification {
        nonce: row.bytes("nonce")?,
        code: match row.has("mac") {
            true => CodeSource::Custom {
                key,
                mac: row.bytes("mac")?,
            },
            false => CodeSource::Derived {
                key,
                length: row.number("length")?,
            },
        },
        payment: row.optional("payment", read_encrypted)?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        expires_at: row.time("expires_at")?,
        wrong: row.number("wrong")?,
        messages: row.maps("messages")?.map(read_message).collect::<Result<_, _>>()?,
    })
}

fn message(message: &Message) -> Item {
    Writer::default()
        .with("attempt", bytes(*message.attempt.bytes()))
        .with("by", text(&message.by))
        .with("channel", text(message.channel.name()))
        .with("at", number(message.at.millis()))
        .with_some("country", message.country.as_ref().map(text))
        .item()
}

fn read_message(row: Reader<'_>) -> Result<Message, Corrupt> {
    Ok(Message {
        attempt: AttemptSid::from_bytes(row.bytes("attempt")?),
        by: row.text("by")?.to_owned(),
        channel: row.parsed("channel", Channel::parse)?,
        at: Timestamp::from_millis(row.number("at")?),
        country: row.optional("country", Reader::text)?.map(str::to_owned),
    })
}

/// An encrypted text, as a map.
pub(super) fn encrypted(text: &Encrypted) -> AttributeValue {
    let item = Writer::default()
        .with("key_id", number(text.key.into()))
        .with("nonce", bytes(text.nonce))
        .with("bytes", bytes(text.bytes.clone()));
    AttributeValue::M(item.item())
}

/// Reads such a map.
pub(super) fn read_encrypted(row: Reader<'_>, name: &'static str) -> Result<Encrypted, Corrupt> {
    let row = Reader(row.map(name)?);
    Ok(Encrypted {
        key: row.number("key_id")?,
        nonce: row.bytes("nonce")?,
        bytes: row.bytes::<&[u8]>("bytes")?.to_vec(),
    })
}

/// The row is as it was read, by its version (optimistic locking): a concurrent change makes the write fail.
#[must_use]
pub fn is_as_read(version: u64) -> Condition {
    match version {
        0 => Condition {
            expression: "attribute_not_exists(version)",
            values: Vec::new(),
        },
        _ => Condition {
            expression: "version = :read",
            values: vec![(":read", number(version))],
        },
    }
}
