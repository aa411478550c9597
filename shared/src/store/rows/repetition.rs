//! Remembered calls: one row for each call that came with an `Idempotency-Key`.

use aws_sdk_dynamodb::types::AttributeValue;

use super::support_pin::{read_sealed, with_sealed};
use crate::{
    domain::{
        repetition::{Body, Remembered, State},
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, text, time},
        table::{Condition, Row},
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
            State::Answered { status, body } => {
                let row = row.with("answer_status", number((*status).into()));
                match body {
                    Body::Plain(body) => row.with("answer_body", text(body)),
                    Body::Sealed(sealed) => with_sealed(row, sealed),
                }
            }
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
                    body: match row.has("answer_body") {
                        true => Body::Plain(row.text("answer_body")?.to_owned()),
                        false => Body::Sealed(read_sealed(row)?),
                    },
                },
            },
            ends_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.ends_at)
    }
}

/// The invocation still owns the claim: no other one has taken it over.
#[must_use]
pub fn is_taken_by(invocation: &str) -> Condition {
    Condition {
        expression: "taken_by = :by",
        values: vec![(":by", text(invocation))],
    }
}

/// The answer is not encrypted, and that text stands in it.
#[must_use]
pub fn holds(part: &str) -> Condition {
    Condition {
        expression: "contains(answer_body, :part)",
        values: vec![(":part", text(part))],
    }
}
