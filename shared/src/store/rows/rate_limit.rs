//! Usage of rate limits: one row for each subject (what is limited, and for whom), with the times of its hits.

use std::ops::ControlFlow;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        limits::rate_limit::{Hit, RateLimit, RateLimited},
        time::Timestamp,
    },
    fault::Fault,
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, text, time},
        retry::optimistic_from,
        table::{Change, Changed, Row, Table, Update},
    },
};

/// The usage of one subject's rate limit.
#[derive(Clone, Debug)]
pub struct Usage {
    subject: [u8; 32],
    /// The hits, oldest first.
    pub acts: Vec<Hit>,
    forget_at: Timestamp,
}

impl Row for Usage {
    const VARIABLE: &'static str = "BUDGETS_TABLE";
    const KEY: &'static str = "subject";
    type Id = [u8; 32];

    fn key(id: &[u8; 32]) -> AttributeValue {
        bytes(*id)
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.subject))
            .with("acts", list(&self.acts))
            .with("last_at", last(&self.acts))
            .with("ttl", time(self.forget_at))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            subject: row.bytes(Self::KEY)?,
            acts: acts(row, "acts")?,
            forget_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        // The rule checks the age of each hit, so that it sees the same list as the condition.
        None
    }
}

/// A hit as stored: its second and its invocation.
fn element(act: &Hit) -> AttributeValue {
    text(format!("{} {}", act.at.seconds(), act.by))
}

fn read(element: &str) -> Option<Hit> {
    let (at, by) = element.split_once(' ')?;
    Some(Hit {
        at: Timestamp::from_seconds(at.parse().ok()?),
        by: by.to_owned(),
    })
}

pub(super) fn list(acts: &[Hit]) -> AttributeValue {
    AttributeValue::L(acts.iter().map(element).collect())
}

pub(super) fn acts(row: Reader<'_>, name: &'static str) -> Result<Vec<Hit>, Corrupt> {
    let acts: Option<_> = row.texts(name)?.into_iter().map(read).collect();
    acts.ok_or(Corrupt(name))
}

/// One counted hit, so that it can be given back if the request fails.
#[derive(Debug)]
pub struct Receipt {
    subject: [u8; 32],
    acts: Vec<Hit>,
    by: String,
}

impl Receipt {
    /// The receipt of the last hit of a list.
    #[must_use]
    pub fn of(subject: [u8; 32], acts: Vec<Hit>, act: &Hit) -> Self {
        Self {
            subject,
            by: act.by.clone(),
            acts,
        }
    }

    /// The receipt of a hit that was perhaps counted: the hits before it are unknown.
    #[must_use]
    pub fn of_first(subject: [u8; 32], act: Hit) -> Self {
        Self {
            subject,
            by: act.by.clone(),
            acts: vec![act],
        }
    }
}

/// Maximum number of attempts at counting while others give hits back concurrently.
const ROUNDS: u32 = 64;

/// Counts creations, such as passcodes. Attempts are counted by a `Table<Usage, Update>` itself: a route that has one
/// gets the strict rate limit.
#[derive(Debug)]
pub struct Creations(pub Table<Usage, Update>);

impl Creations {
    /// Counts one hit, within a rate limit.
    ///
    /// # Errors
    /// As [`spend`].
    pub async fn count(
        &self,
        limit: &RateLimit,
        subject: &[u8; 32],
        act: &Hit,
    ) -> Result<Result<Receipt, RateLimited>, Fault> {
        spend(&self.0, limit, subject, act).await
    }
}

/// Counts one hit of a subject's rate limit before the request is processed: of any number of concurrent requests,
/// exactly the allowed number pass.
///
/// The first write needs no earlier read: below the smallest window's limit there is always room, and so there is after
/// a pause, so that a first hit and a hit after a pause take equally long. Otherwise the write replaces exactly the
/// list that was read, and retries when a concurrent request was faster (optimistic locking). A hit that is already in
/// the list is this one: the response to its write was lost.
///
/// # Errors
/// The inner `Err` is [`RateLimited`]; [`Fault`] when the store fails, or when every retry lost to concurrent requests:
/// then the request must not be processed.
pub async fn spend(
    table: &Table<Usage, Update>,
    limit: &RateLimit,
    subject: &[u8; 32],
    act: &Hit,
) -> Result<Result<Receipt, RateLimited>, Fault> {
    let forget_at = act.at.deadline(limit.memory());
    let receipt = |acts| Receipt {
        subject: *subject,
        acts,
        by: act.by.clone(),
    };
    // A lost race is another request's hit, of which the limit allows only so many; or one that was given back, because
    // another limit refused it.
    let most = u32::try_from(limit.most()).unwrap_or(u32::MAX);
    let rounds = most.saturating_add(ROUNDS);
    optimistic_from(rounds, "a rate limit", first(limit, act), async |change| {
        let found = match table.update(subject, change, act.at).await? {
            Changed::Yes(row) => return Ok(ControlFlow::Break(Ok(receipt(row.acts)))),
            Changed::No(Some(spent)) => spent.acts,
            // The TTL sweep deleted it meanwhile.
            Changed::No(None) => return Ok(ControlFlow::Continue(first(limit, act))),
        };
        if found.iter().any(|other| other.by == act.by) {
            return Ok(ControlFlow::Break(Ok(receipt(found))));
        }
        let next = match limit.spend(&found, act) {
            Ok(next) => next,
            Err(exhausted) => return Ok(ControlFlow::Break(Err(exhausted))),
        };
        let mut change = replace(&found, &next);
        change.values.push((":ttl", time(forget_at)));
        change.update = "SET acts = :next, last_at = :last, #ttl = :ttl";
        Ok(ControlFlow::Continue(change))
    })
    .await
}

/// Counts one hit where there is room whatever the earlier hits: below the smallest window's limit, and after a pause.
/// It needs no earlier read. Refused when there may be no room: then [`spend`] decides.
#[must_use]
pub fn first(limit: &RateLimit, act: &Hit) -> Change {
    let (pause, after) = limit.after_a_pause();
    Change {
        update: "SET acts = list_append(if_not_exists(acts, :none), :these), last_at = :at, #ttl = :ttl",
        condition: "attribute_not_exists(acts) OR (NOT contains(acts, :this) \
                    AND (size(acts) < :always OR (size(acts) < :after AND last_at <= :paused)))",
        values: vec![
            (":none", list(&[])),
            (":these", list(std::slice::from_ref(act))),
            (":this", element(act)),
            (":ttl", time(act.at.deadline(limit.memory()))),
            (":at", time(act.at)),
            (":always", number(limit.always() as u64)),
            (":after", number(after as u64)),
            (":paused", number(act.at.seconds().saturating_sub(pause))),
        ],
    }
}

/// Counts one more mail of a kind to a mailbox, given the earlier ones as read: `true` when it may be sent. It is one
/// write in any case: when a concurrent request was faster, its mail is the one that is sent. A mail that is already in
/// the list is this one: the response to its write was lost.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn send(
    table: &Table<Usage, Update>,
    subject: &[u8; 32],
    sent: Option<&[Hit]>,
    next: &[Hit],
    (act, memory): (&Hit, u64),
) -> Result<bool, Fault> {
    let change = counted(sent, next, act.at.deadline(memory));
    Ok(match table.update(subject, change, act.at).await? {
        Changed::Yes(_) => true,
        Changed::No(found) => found.is_some_and(|spent| spent.acts.iter().any(|other| other.by == act.by)),
    })
}

/// Replaces exactly the hits that were read, or none (optimistic locking).
#[must_use]
pub fn counted(read: Option<&[Hit]>, next: &[Hit], forget_at: Timestamp) -> Change {
    let mut values = vec![(":next", list(next)), (":last", last(next)), (":ttl", time(forget_at))];
    // DynamoDB rejects a value that no expression uses.
    let condition = match read {
        None => "attribute_not_exists(acts)",
        Some(read) => {
            values.push((":read", list(read)));
            // Entries deleted by the TTL sweep no longer counted.
            "attribute_not_exists(acts) OR acts = :read"
        }
    };
    Change {
        update: "SET acts = :next, last_at = :last, #ttl = :ttl",
        condition,
        values,
    }
}

/// Records a hit on which no decision depends: a request that sends no mail takes as long as one that does, against
/// enumeration (R27).
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn note(table: &Table<Usage, Update>, subject: &[u8; 32], act: &Hit, memory: u64) -> Result<(), Fault> {
    let change = Change {
        update: "SET acts = :these, last_at = :last, #ttl = :ttl",
        condition: "attribute_not_exists(acts) OR acts <> :these",
        values: vec![
            (":these", list(std::slice::from_ref(act))),
            (":last", time(act.at)),
            (":ttl", time(act.at.deadline(memory))),
        ],
    };
    table.update(subject, change, act.at).await.map(drop)
}

/// Maximum number of attempts at giving back while others are counted concurrently.
const GIVING_BACK: u32 = 10;

/// Gives a hit back: it no longer counts towards the rate limit.
///
/// # Errors
/// [`Fault`] when the store fails, or when every retry lost to concurrent requests: then the hit stays counted.
pub async fn give_back(table: &Table<Usage, Update>, receipt: Receipt, now: Timestamp) -> Result<(), Fault> {
    let Receipt { subject, acts, by } = receipt;
    optimistic_from(GIVING_BACK, "a rate limit", acts, async |found| {
        let next: Vec<_> = found.iter().filter(|act| act.by != by).cloned().collect();
        if next.len() == found.len() {
            return Ok(ControlFlow::Break(()));
        }
        let change = replace(&found, &next);
        Ok(match table.update(&subject, change, now).await? {
            Changed::Yes(_) => ControlFlow::Break(()),
            Changed::No(found) => ControlFlow::Continue(found.map_or_else(Vec::new, |spent| spent.acts)),
        })
    })
    .await
}

/// Replaces exactly the list that was read (optimistic locking).
fn replace(found: &[Hit], next: &[Hit]) -> Change {
    Change {
        update: "SET acts = :next, last_at = :last",
        condition: "acts = :found",
        values: vec![(":next", list(next)), (":last", last(next)), (":found", list(found))],
    }
}

/// The time of the last hit; zero if there is none.
fn last(acts: &[Hit]) -> AttributeValue {
    number(acts.iter().map(|act| act.at.seconds()).max().unwrap_or_default())
}
