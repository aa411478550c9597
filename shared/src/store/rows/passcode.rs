//! Passcodes: one row each, by handle (see the rules).

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        passcode::{Handle, Passcode, PasscodeId, Used},
        people::id::ClientId,
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, text, time},
        table::{Change, Row},
    },
};

impl Row for Passcode {
    const VARIABLE: &'static str = "PASSCODES_TABLE";
    const KEY: &'static str = "handle";
    type Id = Handle;

    fn key(id: &Handle) -> AttributeValue {
        text(id.as_str())
    }

    fn to_item(&self) -> Item {
        let row = Writer::default()
            .with(Self::KEY, Self::key(&self.id.handle()))
            .with("id", text(self.id.as_str()))
            .with("client_id", text(self.client.as_str()))
            .with("issued_at", time(self.issued_at))
            .with("expires_at", time(self.expires_at))
            .with("ttl", time(self.forget_at));
        match &self.used {
            Some(used) => row.with("used_at", time(used.at)).with("used_by", text(&used.by)),
            None => row,
        }
        .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            id: row.parsed("id", PasscodeId::parse)?,
            client: row.parsed("client_id", ClientId::parse)?,
            issued_at: row.time("issued_at")?,
            expires_at: row.time("expires_at")?,
            forget_at: row.time("ttl")?,
            used: match row.has("used_at") {
                true => Some(Used {
                    at: row.time("used_at")?,
                    by: row.text("used_by")?.to_owned(),
                }),
                false => None,
            },
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.forget_at)
    }
}

/// Consumes a single-use passcode: of any number of concurrent requests, one succeeds. Refused when it does not exist,
/// is used or has expired.
#[must_use]
pub fn consume(invocation: &str, now: Timestamp) -> Change {
    Change {
        update: "SET used_at = :now, used_by = :invocation",
        condition: "attribute_exists(handle) AND attribute_not_exists(used_at) AND expires_at > :now",
        values: vec![(":now", time(now)), (":invocation", text(invocation))],
    }
}

/// Marks this client's passcode as used, by its id. Refused when it does not exist or is used already.
#[must_use]
pub fn invalidate(id: &PasscodeId, client: &ClientId, invocation: &str, now: Timestamp) -> Change {
    Change {
        update: "SET used_at = :now, used_by = :invocation",
        condition: "id = :id AND client_id = :client AND attribute_not_exists(used_at) AND #ttl > :now",
        values: vec![
            (":id", text(id.as_str())),
            (":client", text(client.as_str())),
            (":now", time(now)),
            (":invocation", text(invocation)),
        ],
    }
}
