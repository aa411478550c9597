//! Remembered calls: one row for each call that came with an `Idempotency-Key`.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        repetition::{Remembered, State},
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, text, time},
        table::Row,
    },
};

impl Row for Remembered {
    const VARIABLE: &'static str = "REPETITIONS_TABLE";
    const KEY: &'static str = "call";
    type Id = [u8; 32];

    fn key(id: &[u8; 32]) -> AttributeValue {
        bytes(*id)
    }

    fn to_item(&self) -> Item {
        let row = Writer::default()
            .with(Self::KEY, Self::key(&self.key))
            .with("taken_by", text(&self.by))
            .with("ttl", time(self.ends_at));
        match &self.state {
            State::UnderWay => row,
            State::Answered { status, body } => row
                .with("answer_status", number((*status).into()))
                .with("answer_body", text(body)),
        }
        .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            key: row.bytes(Self::KEY)?.try_into().map_err(|_| Corrupt(Self::KEY))?,
            by: row.text("taken_by")?.to_owned(),
            state: match row.has("answer_status") {
                false => State::UnderWay,
                true => State::Answered {
                    status: row
                        .number("answer_status")?
                        .try_into()
                        .map_err(|_| Corrupt("answer_status"))?,
                    body: row.text("answer_body")?.to_owned(),
                },
            },
            ends_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.ends_at)
    }
}
