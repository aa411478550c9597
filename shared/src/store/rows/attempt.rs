//! Attempts: one row each, by account and shard, in order of time.

use aws_sdk_dynamodb::types::AttributeValue;

use super::verification::{encrypted, read_encrypted};
use crate::{
    domain::{
        time::Timestamp,
        verification::{
            attempt::{Attempt, Shelf},
            destination::Channel,
            sid::{AccountSid, AttemptSid, ServiceSid, VerificationSid},
        },
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, flag, text, time},
        table::Row,
    },
};

impl Row for Attempt {
    const VARIABLE: &'static str = "ATTEMPTS_TABLE";
    const KEY: &'static str = "shelf";
    const SORT: &'static str = "sid";
    const IS_REPORTED: bool = false;
    type Id = Shelf;

    fn key(id: &Shelf) -> AttributeValue {
        text(format!("{}/{}", id.account.as_text(), id.shard))
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.shelf()))
            .with(Self::SORT, bytes(*self.sid.bytes()))
            .with("account", bytes(*self.account.bytes()))
            .with("service", bytes(*self.service.bytes()))
            .with("verification", bytes(*self.verification.bytes()))
            .with("channel", text(self.channel.name()))
            .with("to", encrypted(&self.to))
            .with("is_sent", flag(self.is_sent))
            .with("ttl", time(self.forget_at()))
            .with_some("country", self.country.as_ref().map(text))
            .with_some("converted_at", self.converted_at.map(time))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            sid: AttemptSid::from_bytes(row.bytes(Self::SORT)?),
            account: AccountSid::from_bytes(row.bytes("account")?),
            service: ServiceSid::from_bytes(row.bytes("service")?),
            verification: VerificationSid::from_bytes(row.bytes("verification")?),
            channel: row.parsed("channel", Channel::parse)?,
            to: read_encrypted(row, "to")?,
            country: row.optional("country", Reader::text)?.map(str::to_owned),
            is_sent: row.flag("is_sent")?,
            converted_at: row.optional("converted_at", Reader::time)?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.forget_at())
    }
}
