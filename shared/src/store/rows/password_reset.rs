//! Password reset requests: one row each, by the digest of the link's credential.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        crypto::secret::Digest,
        password_reset::{PasswordResetRequest, Target},
        people::{id::UserId, name::DomainName},
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, flag, number, text, time},
        table::Row,
    },
};

impl Row for PasswordResetRequest {
    const VARIABLE: &'static str = "PASSWORD_RESET_REQUESTS_TABLE";
    const KEY: &'static str = "digest";
    type Id = Digest;

    fn key(id: &Digest) -> AttributeValue {
        bytes(*id.as_bytes())
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.digest))
            .with("user_id", text(self.target.user.text()))
            .with("generation", number(self.target.generation))
            .with("domain", text(self.target.domain.as_str()))
            .with("recovers", flag(self.target.recovers))
            .with("requested_at", time(self.requested_at))
            .with("ttl", time(self.expires_at))
            .with_some("blocked_at", self.target.blocked_at.map(time))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            digest: Digest::from_bytes(row.bytes(Self::KEY)?).ok_or(Corrupt(Self::KEY))?,
            target: Target {
                user: row.parsed("user_id", UserId::parse)?,
                generation: row.number("generation")?,
                domain: row.parsed("domain", |text| DomainName::parse(text).ok())?,
                blocked_at: row.optional("blocked_at", Reader::time)?,
                recovers: row.flag("recovers")?,
            },
            requested_at: row.time("requested_at")?,
            expires_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}
