//! Usage of rate limits: one row for each subject (whom and what it counts), with the times of its hits.

use std::ops::ControlFlow;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        rate_limit::{Hit, RateLimit, RateLimited},
        time::Timestamp,
    },
    fault::Fault,
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, text, time},
        retry::optimistic_from,
        table::{Change, Changed, Row, Table, Update},
    },
};

/// What was spent of one subject's budget.
#[derive(Clone, Debug)]
pub struct Usage {
    subject: [u8; 32],
    /// What was spent, oldest first.
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
            subject: row.bytes(Self::KEY)?.try_into().map_err(|_| Corrupt(Self::KEY))?,
            acts: acts(row, "acts")?,
            forget_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        // What is too old to count is judged act by act, so that the rule sees the same list as the condition.
        None
    }
}

/// An act as the row holds it: its second and its invocation.
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

/// One act that was spent, to give it back when it comes to nothing after all.
#[derive(Debug)]
pub struct Receipt {
    subject: [u8; 32],
    acts: Vec<Hit>,
    by: String,
}

impl Receipt {
    /// The receipt of an act that is the last one of a list.
    #[must_use]
    pub fn of(subject: [u8; 32], acts: Vec<Hit>, act: &Hit) -> Self {
        Self {
            subject,
            by: act.by.clone(),
            acts,
        }
    }

    /// The receipt of an act that was perhaps spent: what was spent before it is not known.
    #[must_use]
    pub fn of_first(subject: [u8; 32], act: Hit) -> Self {
        Self {
            subject,
            by: act.by.clone(),
            acts: vec![act],
        }
    }
}

/// How often a spending is tried while others give back at the same time.
const ROUNDS: u32 = 64;

/// Counts what is created, such as passcodes. Attempts are counted by a `Table<Usage, Update>` itself: a route that has one gets
/// the strict rate limit.
#[derive(Debug)]
pub struct Creations(pub Table<Usage, Update>);

impl Creations {
    /// Counts one, within a budget.
    ///
    /// # Errors
    /// As [`spend`].
    pub async fn count(
        &self,
        budget: &RateLimit,
        subject: &[u8; 32],
        act: &Hit,
    ) -> Result<Result<Receipt, RateLimited>, Fault> {
        spend(&self.0, budget, subject, act).await
    }
}

/// Spends one act of a subject's budget before the act is done: however many try at once, exactly the budgeted number
/// pass.
///
/// The first write needs no earlier read: below the smallest window's number there is always room, and so there is after
/// a pause, so that what was spent once and what never was cost the same. Otherwise the write puts the new list in the
/// place of exactly the list that was judged, and begins again when somebody was faster. An act that is there already
/// is this one: the answer to its write was lost.
///
/// # Errors
/// `Err` within is [`RateLimited`]; [`Fault`] when the store fails, or when others were faster every time: then the act
/// must not be done.
pub async fn spend(
    table: &Table<Usage, Update>,
    budget: &RateLimit,
    subject: &[u8; 32],
    act: &Hit,
) -> Result<Result<Receipt, RateLimited>, Fault> {
    let forget_at = act.at.deadline(budget.memory());
    let receipt = |acts| Receipt {
        subject: *subject,
        acts,
        by: act.by.clone(),
    };
    // A lost race is an act that somebody else spent, of which the budget has so many; or one that was given back, because another
    // limit refused it.
    let most = u32::try_from(budget.most()).unwrap_or(u32::MAX);
    let rounds = most.saturating_add(ROUNDS);
    optimistic_from(rounds, "a budget", first(budget, act), async |change| {
        let found = match table.update(subject, change, act.at).await? {
            Changed::Yes(row) => return Ok(ControlFlow::Break(Ok(receipt(row.acts)))),
            Changed::No(Some(spent)) => spent.acts,
            // It was swept meanwhile.
            Changed::No(None) => return Ok(ControlFlow::Continue(first(budget, act))),
        };
        if found.iter().any(|other| other.by == act.by) {
            return Ok(ControlFlow::Break(Ok(receipt(found))));
        }
        let next = match budget.spend(&found, act) {
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

/// Spends one act where there is room whatever was spent before: below the smallest window's number, and after a pause. It
/// needs no earlier read. Refused when there is perhaps no room: then [`spend`] knows.
#[must_use]
pub fn first(budget: &RateLimit, act: &Hit) -> Change {
    let (pause, after) = budget.after_a_pause();
    Change {
        update: "SET acts = list_append(if_not_exists(acts, :none), :these), last_at = :at, #ttl = :ttl",
        condition: "attribute_not_exists(acts) OR (NOT contains(acts, :this) \
                    AND (size(acts) < :always OR (size(acts) < :after AND last_at <= :paused)))",
        values: vec![
            (":none", list(&[])),
            (":these", list(std::slice::from_ref(act))),
            (":this", element(act)),
            (":ttl", time(act.at.deadline(budget.memory()))),
            (":at", time(act.at)),
            (":always", number(budget.always() as u64)),
            (":after", number(after as u64)),
            (":paused", number(act.at.seconds().saturating_sub(pause))),
        ],
    }
}

/// Sends one more mail of a kind to a mailbox, on what was read of those before it: `true` when it may be sent. It is one
/// write, whatever it finds: when somebody else was faster, that mail is the one that is sent. A mail that is there already
/// is this one: the answer to its write was lost.
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
    let mut values = vec![
        (":next", list(next)),
        (":last", last(next)),
        (":ttl", time(act.at.deadline(memory))),
    ];
    // DynamoDB refuses a value that no expression uses.
    let condition = match sent {
        None => "attribute_not_exists(acts)",
        Some(sent) => {
            values.push((":sent", list(sent)));
            // What was swept meanwhile did not count any more.
            "attribute_not_exists(acts) OR acts = :sent"
        }
    };
    let change = Change {
        update: "SET acts = :next, last_at = :last, #ttl = :ttl",
        condition,
        values,
    };
    Ok(match table.update(subject, change, act.at).await? {
        Changed::Yes(_) => true,
        Changed::No(found) => found.is_some_and(|spent| spent.acts.iter().any(|other| other.by == act.by)),
    })
}

/// Notes an act where nothing is decided by it: what is not sent costs what costs a mail that is (R27).
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

/// How often giving back is tried while others spend at the same time.
const GIVING_BACK: u32 = 10;

/// Gives an act back: nobody will wait because of it.
///
/// # Errors
/// [`Fault`] when the store fails, or when others were faster every time: then the act stays spent.
pub async fn give_back(table: &Table<Usage, Update>, receipt: Receipt, now: Timestamp) -> Result<(), Fault> {
    let Receipt { subject, acts, by } = receipt;
    optimistic_from(GIVING_BACK, "a budget", acts, async |found| {
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

/// Puts a list in the place of exactly the one that was judged.
fn replace(found: &[Hit], next: &[Hit]) -> Change {
    Change {
        update: "SET acts = :next, last_at = :last",
        condition: "acts = :found",
        values: vec![(":next", list(next)), (":last", last(next)), (":found", list(found))],
    }
}

/// When the last act was; long ago where there is none.
fn last(acts: &[Hit]) -> AttributeValue {
    number(acts.iter().map(|act| act.at.seconds()).max().unwrap_or_default())
}
