//! Budgets: one row for each subject (whom and what it counts), with the times of the acts that count.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        budget::{Budget, Exhausted},
        time::Timestamp,
    },
    fault::Fault,
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, time, times},
        table::{Change, Changed, Row, Table, Update},
    },
};

/// What was spent of one subject's budget.
#[derive(Clone, Debug)]
pub struct Spent {
    subject: [u8; 32],
    acts: Vec<Timestamp>,
    forget_at: Timestamp,
}

impl Row for Spent {
    const VARIABLE: &'static str = "BUDGETS_TABLE";
    const KEY: &'static str = "subject";
    type Id = [u8; 32];

    fn key(id: &[u8; 32]) -> AttributeValue {
        bytes(*id)
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.subject))
            .with("acts", times(&self.acts))
            .with("ttl", time(self.forget_at))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            subject: row.bytes(Self::KEY)?.try_into().map_err(|_| Corrupt(Self::KEY))?,
            acts: row.times("acts")?,
            forget_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        // What is too old to count is judged act by act, so that the rule sees the same list as the condition.
        None
    }
}

/// Spends one act of a subject's budget before the act is done: however many try at once, exactly the budgeted number
/// pass.
///
/// The first write needs no earlier read: below the smallest window's number there is always room. Past it, the write
/// puts the new list in the place of exactly the list that was judged, and begins again when somebody was faster.
///
/// # Errors
/// `Err` within is [`Exhausted`]; [`Fault`] when the store fails, or when others were faster every time: then the act
/// must not be done.
pub async fn spend(
    table: &Table<Spent, Update>,
    budget: &Budget,
    subject: &[u8; 32],
    now: Timestamp,
) -> Result<Result<(), Exhausted>, Fault> {
    let forget_at = now.deadline(budget.memory());
    let mut change = Change {
        update: "SET acts = list_append(if_not_exists(acts, :none), :this), #ttl = :ttl",
        condition: "attribute_not_exists(acts) OR size(acts) < :always",
        values: vec![
            (":none", times(&[])),
            (":this", times(&[now])),
            (":ttl", time(forget_at)),
            (":always", number(budget.always() as u64)),
        ],
    };
    // Every lost race is an act that somebody else spent, so the budget itself bounds the rounds that can be lost.
    for _ in 0..=budget.most() {
        let found = match table.update(subject, change, now).await? {
            Changed::Yes(_) => return Ok(Ok(())),
            Changed::No(found) => found.map_or_else(Vec::new, |spent| spent.acts),
        };
        let next = match budget.spend(&found, now) {
            Ok(next) => next,
            Err(exhausted) => return Ok(Err(exhausted)),
        };
        change = Change {
            update: "SET acts = :next, #ttl = :ttl",
            condition: "acts = :found",
            values: vec![
                (":next", times(&next)),
                (":ttl", time(forget_at)),
                (":found", times(&found)),
            ],
        };
    }
    Err(Fault::new("a budget could not be spent from: too many at once".into()))
}
