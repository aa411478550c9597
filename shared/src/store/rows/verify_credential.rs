//! Accounts and keys that verify phone numbers and mail addresses: one row each, by SID.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        crypto::secret::Digest,
        people::name::DomainName,
        time::Timestamp,
        verification::{
            account::{Credential, CredentialId},
            sid::{AccountSid, KeySid},
        },
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, text, time},
        table::{Change, Condition, Row},
    },
};

impl Row for Credential {
    const VARIABLE: &'static str = "VERIFY_ACCOUNTS_TABLE";
    const KEY: &'static str = "sid";
    type Id = CredentialId;

    fn key(id: &CredentialId) -> AttributeValue {
        text(id.as_text())
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.id))
            .with("account_sid", text(self.account.as_text()))
            .with("domain", text(self.domain.as_str()))
            .with("label", text(&self.name))
            .with("secret_digest", bytes(*self.secret.as_bytes()))
            .with("key_sids", keys(&self.keys))
            .with("inserted_at", time(self.inserted_at))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            id: row.parsed(Self::KEY, CredentialId::parse)?,
            account: row.parsed("account_sid", AccountSid::parse)?,
            domain: row.parsed("domain", |text| DomainName::parse(text).ok())?,
            name: row.text("label")?.to_owned(),
            secret: Digest::from_bytes(row.bytes("secret_digest")?).ok_or(Corrupt("secret_digest"))?,
            keys: row.parsed("key_sids", |text| text.split_whitespace().map(KeySid::parse).collect())?,
            inserted_at: row.time("inserted_at")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}

/// Sets the keys of an account. Refused when they have changed since the read (optimistic locking), or when the account
/// has ended.
#[must_use]
pub fn set_keys(read: &Credential, next: &[KeySid]) -> Change {
    Change {
        update: "SET key_sids = :next",
        condition: "key_sids = :read",
        values: vec![(":next", keys(next)), (":read", keys(&read.keys))],
    }
}

/// Rotates the secret: the old one becomes invalid. Refused when there is no such credential.
#[must_use]
pub fn set_secret(secret: &Digest) -> Change {
    Change {
        update: "SET secret_digest = :secret",
        condition: "attribute_exists(sid)",
        values: vec![(":secret", bytes(*secret.as_bytes()))],
    }
}

/// The account has the keys that it had when it was read: ending it ends all of them.
#[must_use]
pub fn has_keys(read: &Credential) -> Condition {
    Condition {
        expression: "key_sids = :read",
        values: vec![(":read", keys(&read.keys))],
    }
}

fn keys(keys: &[KeySid]) -> AttributeValue {
    text(keys.iter().map(KeySid::as_text).collect::<Vec<_>>().join(" "))
}
