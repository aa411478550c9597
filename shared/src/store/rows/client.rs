//! Clients: one row each, by client id.

use aws_sdk_dynamodb::types::AttributeValue;

use super::token::{read_scopes, scopes};
use crate::{
    domain::{
        client::{Client, Granting},
        id::ClientId,
        name::DomainName,
        secret::Digest,
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, text, time},
        table::{Change, Row},
    },
};

impl Row for Client {
    const VARIABLE: &'static str = "CLIENTS_TABLE";
    const KEY: &'static str = "client_id";
    type Id = ClientId;

    fn key(id: &ClientId) -> AttributeValue {
        text(id.as_str())
    }

    fn to_item(&self) -> Item {
        let grants: Vec<_> = self.grants.iter().map(|grant| grant.name()).collect();
        let row = Writer::default()
            .with(Self::KEY, text(self.id.as_str()))
            .with("secret_digest", bytes(*self.secret.as_bytes()))
            .with("grants", text(grants.join(" ")))
            .with("scopes", scopes(&self.scopes))
            .with("token_generation", number(self.token_generation))
            .with("inserted_at", time(self.inserted_at));
        match &self.domain {
            Some(domain) => row.with("domain", text(domain.as_str())),
            None => row,
        }
        .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            id: row.parsed(Self::KEY, ClientId::parse)?,
            secret: Digest::from_bytes(row.bytes("secret_digest")?).ok_or(Corrupt("secret_digest"))?,
            domain: match row.has("domain") {
                true => Some(row.parsed("domain", |text| DomainName::parse(text).ok())?),
                false => None,
            },
            grants: row.parsed("grants", |text| text.split_whitespace().map(Granting::parse).collect())?,
            scopes: read_scopes(row, "scopes")?,
            token_generation: row.number("token_generation")?,
            inserted_at: row.time("inserted_at")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}

/// Ends every token of a client's own, in one write; refused when there is no such client.
#[must_use]
pub fn end_tokens() -> Change {
    Change {
        update: "ADD token_generation :one",
        condition: "attribute_exists(client_id)",
        values: vec![(":one", number(1))],
    }
}
