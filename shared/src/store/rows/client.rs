//! Clients: one row each, by client id.

use aws_sdk_dynamodb::types::AttributeValue;

use super::token::{read_scopes, scopes};
use crate::{
    domain::{
        auth::client::{Client, GrantType},
        crypto::secret::Digest,
        people::{id::ClientId, name::DomainName},
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
        Writer::default()
            .with(Self::KEY, text(self.id.as_str()))
            .with("secret_digest", bytes(*self.secret.as_bytes()))
            .with("grants", grants(&self.grants))
            .with("scopes", scopes(&self.scopes))
            .with("token_generation", number(self.token_generation))
            .with("inserted_at", time(self.inserted_at))
            .with_some("domain", self.domain.as_ref().map(|domain| text(domain.as_str())))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            id: row.parsed(Self::KEY, ClientId::parse)?,
            secret: Digest::from_bytes(row.bytes("secret_digest")?).ok_or(Corrupt("secret_digest"))?,
            domain: row.optional("domain", |row, name| row.parsed(name, |text| DomainName::parse(text).ok()))?,
            grants: row.parsed("grants", |text| text.split_whitespace().map(GrantType::parse).collect())?,
            scopes: read_scopes(row, "scopes")?,
            token_generation: row.number("token_generation")?,
            inserted_at: row.time("inserted_at")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}

/// Sets a client's grants, scopes and domain. Refused when they have changed since the read (optimistic locking).
#[must_use]
pub fn set(read: &Client, next: &Client) -> Change {
    let mut values = vec![
        (":scopes", scopes(&next.scopes)),
        (":grants", grants(&next.grants)),
        (":scopes_read", scopes(&read.scopes)),
        (":grants_read", grants(&read.grants)),
    ];
    let update = match &next.domain {
        Some(domain) => {
            values.push((":domain", text(domain.as_str())));
            "SET scopes = :scopes, grants = :grants, #domain = :domain"
        }
        None => "SET scopes = :scopes, grants = :grants REMOVE #domain",
    };
    let condition = match &read.domain {
        Some(domain) => {
            values.push((":domain_read", text(domain.as_str())));
            "scopes = :scopes_read AND grants = :grants_read AND #domain = :domain_read"
        }
        None => "scopes = :scopes_read AND grants = :grants_read AND attribute_not_exists(#domain)",
    };
    Change {
        update,
        condition,
        values,
    }
}

/// Rotates a client's secret: the old one becomes invalid. Refused when there is no such client.
#[must_use]
pub fn set_secret(secret: &Digest) -> Change {
    Change {
        update: "SET secret_digest = :secret",
        condition: "attribute_exists(client_id)",
        values: vec![(":secret", bytes(*secret.as_bytes()))],
    }
}

/// Revokes every token of the client's own, in one write; refused when there is no such client.
#[must_use]
pub fn end_tokens() -> Change {
    Change {
        update: "ADD token_generation :one",
        condition: "attribute_exists(client_id)",
        values: vec![(":one", number(1))],
    }
}

fn grants(grants: &[GrantType]) -> AttributeValue {
    text(grants.iter().map(|grant| grant.name()).collect::<Vec<_>>().join(" "))
}
