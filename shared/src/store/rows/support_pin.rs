//! Support PINs: one row per user, by user id.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        crypto::encryption::Encrypted,
        people::id::UserId,
        support_pin::{Content, Digits, Owner, SupportPin},
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, text, time},
        table::{Change, Row},
    },
};

impl Row for SupportPin {
    const VARIABLE: &'static str = "SUPPORT_PINS_TABLE";
    const KEY: &'static str = "user_id";
    type Id = UserId;

    fn key(id: &UserId) -> AttributeValue {
        text(id.text())
    }

    fn to_item(&self) -> Item {
        let row = Writer::default()
            .with(Self::KEY, Self::key(&self.user))
            .with("generation", number(self.generation))
            .with("issued_at", time(self.issued_at))
            .with("ttl", time(self.expires_at))
            .with_some("blocked_at", self.blocked_at.map(time));
        match &self.content {
            Content::Encrypted(digits) => with_sealed(row.with("pin_id", bytes(digits.id)), &digits.sealed),
            Content::Revoked { by } => row.with("revoked_by", text(by)),
        }
        .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            user: row.parsed(Self::KEY, UserId::parse)?,
            generation: row.number("generation")?,
            blocked_at: row.optional("blocked_at", Reader::time)?,
            issued_at: row.time("issued_at")?,
            expires_at: row.time("ttl")?,
            content: match row.has("revoked_by") {
                true => Content::Revoked {
                    by: row.text("revoked_by")?.to_owned(),
                },
                false => Content::Encrypted(Digits {
                    id: row.bytes("pin_id")?,
                    sealed: read_sealed(row)?,
                }),
            },
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// Adds the attributes of an encrypted text.
pub(super) fn with_sealed(row: Writer, sealed: &Encrypted) -> Writer {
    row.with("key_id", number(sealed.key.into()))
        .with("nonce", bytes(sealed.nonce))
        .with("sealed", bytes(sealed.bytes.clone()))
}

pub(super) fn read_sealed(row: Reader<'_>) -> Result<Encrypted, Corrupt> {
    Ok(Encrypted {
        key: row.number("key_id")?,
        nonce: row.bytes("nonce")?,
        bytes: row.bytes("sealed")?,
    })
}

/// Revokes a PIN: its ciphertext is deleted at once (ASVS 14.2.7), a trace of the revoking invocation is kept until the
/// PIN would have expired. Refused when there is no live PIN: one invalidated with the owner's tokens or by a block
/// does not count.
#[must_use]
pub fn revoke(owner: &Owner, invocation: &str, now: Timestamp) -> Change {
    let mut values = vec![
        (":invocation", text(invocation)),
        (":generation", number(owner.generation())),
        (":now", time(now)),
    ];
    let condition = match owner.blocked_at() {
        None => {
            "attribute_exists(sealed) AND generation = :generation AND #ttl > :now AND attribute_not_exists(blocked_at)"
        }
        Some(at) => {
            values.push((":blocked_at", time(at)));
            "attribute_exists(sealed) AND generation = :generation AND #ttl > :now AND blocked_at = :blocked_at"
        }
    };
    Change {
        update: "SET revoked_by = :invocation REMOVE sealed, nonce, pin_id, key_id",
        condition,
        values,
    }
}
