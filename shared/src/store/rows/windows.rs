//! Intervals of the rate limits that applications define: one row for each value, in the rate limit table
//! (`BUDGETS_TABLE`).

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        time::Timestamp,
        verification::{
            sid::BucketSid,
            windows::{Window, Windows},
        },
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, maps, number, time},
        table::Row,
    },
};

impl Row for Windows {
    const VARIABLE: &'static str = "BUDGETS_TABLE";
    const KEY: &'static str = "subject";
    type Id = [u8; 32];

    fn key(id: &[u8; 32]) -> AttributeValue {
        bytes(*id)
    }

    fn to_item(&self) -> Item {
        let window = |window: &Window| {
            Writer::default()
                .with("bucket", bytes(*window.bucket.bytes()))
                .with("began_at", time(window.began_at))
                .with("count", number(window.count))
                .item()
        };
        Writer::default()
            .with(Self::KEY, Self::key(&self.subject))
            .with("version", number(self.version))
            .with("windows", maps(self.windows.iter().map(window)))
            .with("ttl", time(self.forget_at))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        let window = |row: Reader<'_>| {
            Ok(Window {
                bucket: BucketSid::from_bytes(row.bytes("bucket")?),
                began_at: row.time("began_at")?,
                count: row.number("count")?,
            })
        };
        Ok(Self {
            subject: row.bytes(Self::KEY)?,
            version: row.number("version")?,
            windows: row.maps("windows")?.map(window).collect::<Result<_, _>>()?,
            forget_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        // The rule checks the age of each interval, so that it sees the same row as the condition.
        None
    }
}
