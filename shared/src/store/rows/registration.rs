//! Registration requests: one row each, by the digest of the link's credential.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        crypto::secret::Digest,
        people::name::{DisplayName, DomainName, EmailAddress, Login},
        registration::{AccountRequest, RegistrationRequest},
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, text, time},
        table::{Condition, Row},
    },
};

impl Row for RegistrationRequest {
    const VARIABLE: &'static str = "REGISTRATION_REQUESTS_TABLE";
    const KEY: &'static str = "digest";
    type Id = Digest;

    fn key(id: &Digest) -> AttributeValue {
        bytes(*id.as_bytes())
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.digest))
            .with("domain", text(self.account.domain.as_str()))
            .with("login", text(self.account.login.as_str()))
            .with("name", text(self.account.name.as_str()))
            .with("email", text(self.account.email.as_str()))
            .with("requested_at", time(self.requested_at))
            .with("ttl", time(self.expires_at))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            digest: Digest::from_bytes(row.bytes(Self::KEY)?).ok_or(Corrupt(Self::KEY))?,
            account: AccountRequest {
                domain: row.parsed("domain", |text| DomainName::parse(text).ok())?,
                login: row.parsed("login", |text| Login::parse(text).ok())?,
                name: row.parsed("name", |text| DisplayName::parse(text).ok())?,
                email: row.parsed("email", |text| EmailAddress::parse(text).ok())?,
            },
            requested_at: row.time("requested_at")?,
            expires_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// The request is for that domain.
#[must_use]
pub fn is_for(domain: &DomainName) -> Condition {
    Condition {
        expression: "#domain = :domain",
        values: vec![(":domain", text(domain.as_str()))],
    }
}
