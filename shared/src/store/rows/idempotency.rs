//! Idempotency records: one row for each call with an `Idempotency-Key`.

use aws_sdk_dynamodb::types::AttributeValue;

use super::support_pin::{read_sealed, with_sealed};
use crate::{
    domain::{
        auth::lockout::Lane,
        crypto::secret::Digest,
        idempotency::{Body, IdempotencyRecord, Issued, State},
        people::id::{ClientId, UserId},
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, flag, number, text, time},
        table::{Condition, Row},
    },
};

impl Row for IdempotencyRecord {
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
            State::InProgress => row,
            State::Answered { status, body, issued } => {
                let row = row.with("answer_status", number((*status).into()));
                let row = match issued {
                    None => row,
                    Some(issued) => with_issued(row, issued),
                };
                match body {
                    Body::Plain(body) => row.with("answer_body", text(body)),
                    Body::Encrypted(sealed) => with_sealed(row, sealed),
                }
            }
        }
        .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            key: row.bytes(Self::KEY)?,
            by: row.text("taken_by")?.to_owned(),
            state: match row.has("answer_status") {
                false => State::InProgress,
                true => State::Answered {
                    status: row.number("answer_status")?,
                    body: match row.has("answer_body") {
                        true => Body::Plain(row.text("answer_body")?.to_owned()),
                        false => Body::Encrypted(read_sealed(row)?),
                    },
                    issued: read_issued(row)?,
                },
            },
            ends_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.ends_at)
    }
}

/// The owner of a response: rows of a user are found by it, like those of other tables ([`super::user::owns`]).
fn with_issued(row: Writer, issued: &Issued) -> Writer {
    match issued {
        Issued::User {
            id,
            generation,
            at,
            lane,
        } => row
            .with("user_id", text(id.text()))
            .with("generation", number(*generation))
            .with("issued_at", time(*at))
            .with_some("of_device", matches!(lane, Lane::KnownDevice).then_some(flag(true))),
        Issued::Client { id, generation, secret } => row
            .with("client_id", text(id.as_str()))
            .with("generation", number(*generation))
            .with("secret_digest", bytes(*secret.as_bytes())),
    }
}

fn read_issued(row: Reader<'_>) -> Result<Option<Issued>, Corrupt> {
    Ok(if row.has("user_id") {
        Some(Issued::User {
            id: row.parsed("user_id", UserId::parse)?,
            generation: row.number("generation")?,
            at: row.time("issued_at")?,
            lane: match row.has("of_device") {
                true => Lane::KnownDevice,
                false => Lane::Anonymous,
            },
        })
    } else if row.has("client_id") {
        Some(Issued::Client {
            id: row.parsed("client_id", ClientId::parse)?,
            generation: row.number("generation")?,
            secret: Digest::from_bytes(row.bytes("secret_digest")?).ok_or(Corrupt("secret_digest"))?,
        })
    } else {
        None
    })
}

/// The invocation still owns the claim: no other one has taken it over.
#[must_use]
pub fn is_taken_by(invocation: &str) -> Condition {
    Condition {
        expression: "taken_by = :by",
        values: vec![(":by", text(invocation))],
    }
}

/// The invocation still owns the claim, and no response is stored.
#[must_use]
pub fn is_claimed_by(invocation: &str) -> Condition {
    Condition {
        expression: "taken_by = :by AND attribute_not_exists(answer_status)",
        values: vec![(":by", text(invocation))],
    }
}

/// The row is still that invocation's, or already this one's: its own write, whose response was lost.
#[must_use]
pub fn is_taken_by_either(earlier: &str, invocation: &str) -> Condition {
    Condition {
        expression: "taken_by = :earlier OR taken_by = :by",
        values: vec![(":earlier", text(earlier)), (":by", text(invocation))],
    }
}
