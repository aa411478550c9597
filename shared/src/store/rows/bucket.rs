//! Token buckets: one row for each subject, in the rate limit table (`BUDGETS_TABLE`).

use std::ops::ControlFlow;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        limits::{
            bucket::Bucket,
            rate_limit::{Hit, RateLimited},
        },
        time::Timestamp,
    },
    fault::Fault,
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, text, time},
        retry::optimistic_from,
        table::{Change, Changed, Row, Table, Update},
    },
};

/// The level of one subject's bucket.
#[derive(Clone, Debug)]
pub struct Level {
    subject: [u8; 32],
    /// When the bucket is full again.
    pub full_at: Timestamp,
    last_by: String,
    forget_at: Timestamp,
}

impl Row for Level {
    const VARIABLE: &'static str = "BUDGETS_TABLE";
    const KEY: &'static str = "subject";
    type Id = [u8; 32];

    fn key(id: &[u8; 32]) -> AttributeValue {
        bytes(*id)
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.subject))
            .with("full_at", millis(self.full_at))
            .with("last_by", text(&self.last_by))
            .with("ttl", time(self.forget_at))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            subject: row.bytes(Self::KEY)?,
            full_at: Timestamp::from_millis(row.number("full_at")?),
            last_by: row.text("last_by")?.to_owned(),
            forget_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        // A full bucket equals one that never existed: the rule handles expiry.
        None
    }
}

fn millis(at: Timestamp) -> AttributeValue {
    number(at.millis())
}

/// A token that was taken, or perhaps was, so that it can be given back if the request fails.
#[derive(Debug)]
pub struct Receipt {
    subject: [u8; 32],
    weight: u64,
    by: String,
    is_certain: bool,
}

impl Receipt {
    /// The receipt of a token that was perhaps taken.
    #[must_use]
    pub fn uncertain(bucket: &Bucket, subject: [u8; 32], act: &Hit) -> Self {
        Self {
            subject,
            weight: bucket.weight(1),
            by: act.by.clone(),
            is_certain: false,
        }
    }

    fn certain(self) -> Self {
        Self {
            is_certain: true,
            ..self
        }
    }
}

/// Maximum number of attempts while concurrent requests fill and empty the bucket.
const ROUNDS: u32 = 16;

/// Takes a token, given the bucket as read. While other requests use the bucket, the write is an addition, on condition
/// that a token is left: concurrent requests never force a retry. Exactly as many requests pass as there are tokens.
///
/// If this invocation was the last to take a token, it was this write, whose response was lost; if another request took
/// one after the lost response, this one uses two.
///
/// # Errors
/// The inner `Err` is [`RateLimited`]; [`Fault`] when the store fails.
pub async fn take(
    table: &Table<Level, Update>,
    bucket: &Bucket,
    subject: &[u8; 32],
    read: Option<Level>,
    act: &Hit,
) -> Result<Result<Receipt, RateLimited>, Fault> {
    let receipt = Receipt::uncertain(bucket, *subject, act).certain();
    let taken = optimistic_from(ROUNDS, "a bucket", read, async |found| {
        let full_at = found.map_or(Timestamp::from_seconds(0), |level| level.full_at);
        let next = match bucket.take(full_at, act.at) {
            Ok(next) => next,
            Err(exhausted) => return Ok(ControlFlow::Break(Err(exhausted))),
        };
        let change = match full_at.is_expired(act.at) {
            true => begin(next, act),
            false => add(bucket, act),
        };
        Ok::<_, Fault>(match table.update(subject, change, act.at).await? {
            Changed::Yes(_) => ControlFlow::Break(Ok(())),
            Changed::No(Some(level)) if level.last_by == act.by => ControlFlow::Break(Ok(())),
            Changed::No(found) => ControlFlow::Continue(found),
        })
    });
    Ok(taken.await?.map(|()| receipt))
}

/// For how many seconds a row is kept after the last token: no bucket takes longer to fill.
const MEMORY: u64 = 86_400;

/// Takes the first token from a full bucket.
fn begin(next: Timestamp, act: &Hit) -> Change {
    Change {
        update: "SET full_at = :next, last_by = :by, #ttl = :ttl",
        condition: "attribute_not_exists(full_at) OR full_at <= :now",
        values: vec![
            (":next", millis(next)),
            (":now", millis(act.at)),
            (":by", text(&act.by)),
            (":ttl", time(act.at.deadline(MEMORY))),
        ],
    }
}

/// Takes one more token from a bucket that is not full.
fn add(bucket: &Bucket, act: &Hit) -> Change {
    Change {
        update: "SET full_at = full_at + :weight, last_by = :by, #ttl = :ttl",
        condition: "full_at > :now AND full_at <= :most AND last_by <> :by",
        values: vec![
            (":weight", number(bucket.weight(1))),
            (":now", millis(act.at)),
            (":most", millis(bucket.most(act.at))),
            (":by", text(&act.by)),
            (":ttl", time(act.at.deadline(MEMORY))),
        ],
    }
}

/// Gives a token back. One that was perhaps taken is given back if this invocation was the last to take one.
///
/// # Errors
/// [`Fault`] when the store fails: then the token is refilled with time.
pub async fn give_back(table: &Table<Level, Update>, receipt: Receipt, now: Timestamp) -> Result<(), Fault> {
    let by = receipt.by;
    let back = text(format!("{by} gives back"));
    let change = match receipt.is_certain {
        true => Change {
            update: "SET full_at = full_at - :weight, last_by = :back",
            condition: "full_at > :now AND last_by <> :back",
            values: vec![
                (":weight", number(receipt.weight)),
                (":now", millis(now)),
                (":back", back),
            ],
        },
        false => Change {
            update: "SET full_at = full_at - :weight, last_by = :back",
            condition: "full_at > :now AND last_by = :by",
            values: vec![
                (":weight", number(receipt.weight)),
                (":now", millis(now)),
                (":back", back),
                (":by", text(by)),
            ],
        },
    };
    table.update(&receipt.subject, change, now).await.map(drop)
}

/// Refills that many tokens, whichever requests took them. A full bucket stays full.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn refill(
    table: &Table<Level, Update>,
    bucket: &Bucket,
    subject: &[u8; 32],
    tokens: u64,
    act: &Hit,
) -> Result<(), Fault> {
    let change = Change {
        update: "SET full_at = full_at - :weight, last_by = :by",
        condition: "full_at > :now AND last_by <> :by",
        values: vec![
            (":weight", number(bucket.weight(tokens))),
            (":now", millis(act.at)),
            (":by", text(&act.by)),
        ],
    };
    table.update(subject, change, act.at).await.map(drop)
}
