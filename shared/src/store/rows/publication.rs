//! Events of the audit log that were mailed or published: one row for each event and channel.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{publication::Publication, time::Timestamp},
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, time},
        table::Row,
    },
};

impl Row for Publication {
    const VARIABLE: &'static str = "PUBLICATIONS_TABLE";
    const KEY: &'static str = "publication";
    // That a publication is forgotten is no event: it would be one for every event that was published.
    const IS_REPORTED: bool = false;
    type Id = [u8; 32];

    fn key(id: &[u8; 32]) -> AttributeValue {
        bytes(*id)
    }

    fn to_item(&self) -> Item {
        Writer::default().with(Self::KEY, Self::key(&self.key)).with("ttl", time(self.forget_at)).item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            key: row.bytes(Self::KEY)?,
            forget_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.forget_at)
    }
}
