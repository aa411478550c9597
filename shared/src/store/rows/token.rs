//! Tokens: one row each, by the digest of the token.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        id::{ClientId, UserId},
        scope::Scope,
        secret::Digest,
        time::Timestamp,
        token::{Kind, Owner, Token},
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, text, time},
        table::{Change, Row},
    },
};

impl Row for Token {
    const VARIABLE: &'static str = "TOKENS_TABLE";
    const KEY: &'static str = "digest";
    type Id = Digest;

    fn key(id: &Digest) -> AttributeValue {
        bytes(*id.as_bytes())
    }

    fn to_item(&self) -> Item {
        let row = Writer::default()
            .with(Self::KEY, Self::key(&self.digest))
            .with("client_id", text(self.client.as_str()))
            .with("kind", text(self.kind.name()))
            .with("scopes", scopes(&self.scopes))
            .with("generation", number(self.generation))
            .with("issued_at", time(self.issued_at))
            .with("expires_at", time(self.expires_at))
            .with("ttl", time(self.forget_at));
        let row = match &self.owner {
            Owner::User(id) => row.with("user_id", text(id.text())),
            // A client's own token needs no second name.
            Owner::Client(_) => row,
        };
        match self.revoked_at {
            Some(at) => row.with("revoked_at", time(at)),
            None => row,
        }
        .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        let client = row.parsed("client_id", ClientId::parse)?;
        Ok(Self {
            digest: Digest::from_bytes(row.bytes(Self::KEY)?).ok_or(Corrupt(Self::KEY))?,
            owner: match row.has("user_id") {
                true => Owner::User(row.parsed("user_id", UserId::parse)?),
                false => Owner::Client(client.clone()),
            },
            client,
            kind: row.parsed("kind", Kind::parse)?,
            scopes: read_scopes(row)?,
            generation: row.number("generation")?,
            issued_at: row.time("issued_at")?,
            expires_at: row.time("expires_at")?,
            forget_at: row.time("ttl")?,
            revoked_at: match row.has("revoked_at") {
                true => Some(row.time("revoked_at")?),
                false => None,
            },
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.forget_at)
    }
}

/// Revokes one token; refused when there is none or it is revoked already.
#[must_use]
pub fn revoke(now: Timestamp) -> Change {
    Change {
        update: "SET revoked_at = :now",
        condition: "attribute_exists(digest) AND attribute_not_exists(revoked_at)",
        values: vec![(":now", time(now))],
    }
}

/// Scopes in one text, as OAuth writes them (RFC 6749 §3.3): DynamoDB has no empty sets.
pub(super) fn scopes(scopes: &[Scope]) -> AttributeValue {
    text(scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" "))
}

pub(super) fn read_scopes(row: Reader<'_>) -> Result<Vec<Scope>, Corrupt> {
    row.parsed("scopes", |text| text.split_whitespace().map(Scope::parse).collect())
}
