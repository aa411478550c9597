//! Claims: one row for each login or mail address in use.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        people::{claim::Claim, id::UserId},
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, text},
        table::Row,
    },
};

impl Row for Claim {
    const VARIABLE: &'static str = "CLAIMS_TABLE";
    const KEY: &'static str = "name";
    type Id = [u8; 32];

    fn key(id: &[u8; 32]) -> AttributeValue {
        bytes(*id)
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.key))
            .with("user_id", text(self.user.text()))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            key: row.bytes(Self::KEY)?,
            user: row.parsed("user_id", UserId::parse)?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}
