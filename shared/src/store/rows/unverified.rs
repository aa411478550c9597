//! The budget of unverified messages: one row of the rate limit table (`BUDGETS_TABLE`) for each country, shard and day.
//!
//! Sends and approvals lose nothing when they are concurrent. Each adds to counters of its own slot; a send depends on
//! the version that it was decided on, and an approval depends on nothing, so that no number of sends can make it fail.
//! A decision never sees too many approvals, and one that saw too few refuses too early and never too late.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{LazyLock, Mutex, PoisonError},
};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        limits::{
            rate_limit::{Hit, RateLimited},
            unverified::{self, Day, DayId, Days, EARLIER_DAYS, Policy, SLOTS, Tally, forget_at, giving_back, slot},
        },
        time::Timestamp,
    },
    fault::Fault,
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, text, time},
        retry::optimistic_from,
        table::{Batch, BatchGet, Change, Changed, Row, Table, Update},
    },
};

/// The names and expressions of one slot. Expressions have no values of their own, so each is made once.
struct Names {
    /// The attribute of messages sent.
    sent: String,
    /// The attribute of approved ones.
    approved: String,
    /// The placeholder of how many were approved.
    more: String,
    /// Counts the first message of a day.
    begin: String,
    /// Counts another one.
    send: String,
    /// Gives one back.
    give_back: String,
    /// The condition of giving back.
    is_counted: String,
}

static NAMES: LazyLock<Vec<Names>> = LazyLock::new(|| {
    let names = |slot| Names {
        sent: format!("s{slot:03}"),
        approved: format!("a{slot:03}"),
        more: format!(":a{slot:03}"),
        begin: format!(
            "SET version = :version, last_by = :by, best_before = :best, #ttl = :ttl ADD s{slot:03} :one, sent :one"
        ),
        send: format!("SET version = :version, last_by = :by ADD s{slot:03} :one, sent :one"),
        give_back: format!("SET last_by = :by, s{slot:03} = s{slot:03} - :one, sent = sent - :one"),
        is_counted: format!("s{slot:03} >= :one AND sent >= :one"),
    };
    (0..SLOTS).map(names).collect()
});

/// The names of the slot of a moment.
fn names(at: Timestamp) -> &'static Names {
    &NAMES[index(slot(at))]
}

fn index(slot: u64) -> usize {
    usize::try_from(slot).expect("a day has 288 slots")
}

impl Row for Day {
    const VARIABLE: &'static str = "BUDGETS_TABLE";
    const KEY: &'static str = "subject";
    type Id = DayId;

    fn key(id: &DayId) -> AttributeValue {
        bytes(id.subject())
    }

    fn to_item(&self) -> Item {
        let row = Writer::default()
            .with(Self::KEY, bytes(self.subject))
            .with("version", number(self.version))
            .with("last_by", text(&self.last_by))
            .with("best_before", number(self.best_before))
            .with("sent", number(self.total.sent))
            .with("approved", number(self.total.approved))
            .with("ttl", time(self.forget_at));
        let counted = |count: u64| Some(number(count)).filter(|_| count > 0);
        let row = self.slots.iter().fold(row, |row, (slot, tally)| {
            let names = &NAMES[index(*slot)];
            row.with_some(&names.sent, counted(tally.sent)).with_some(&names.approved, counted(tally.approved))
        });
        row.item()
    }

    /// An approval may be all that a row has: the messages that it belongs to were counted in a row that was lost.
    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        let count = |name| Ok(row.optional(name, Reader::number)?.unwrap_or_default());
        let mut slots = BTreeMap::new();
        for (slot, names) in (0..).zip(NAMES.iter()) {
            let tally = Tally {
                sent: count(&names.sent)?,
                approved: count(&names.approved)?,
            };
            if tally != Tally::default() {
                slots.insert(slot, tally);
            }
        }
        Ok(Self {
            subject: row.bytes(Self::KEY)?,
            version: count("version")?,
            last_by: row.optional("last_by", Reader::text)?.unwrap_or_default().to_owned(),
            slots,
            total: Tally {
                sent: count("sent")?,
                approved: count("approved")?,
            },
            best_before: count("best_before")?,
            forget_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}

/// One counted message, so that it can be given back if it is not sent.
#[derive(Debug)]
pub struct Receipt {
    /// Whether it is beyond the budget, and only recorded: the caller prints a metric.
    pub was_over: bool,
    id: DayId,
    act: Hit,
}

/// The subject of a fault after too many conflicts.
const SUBJECT: &str = "the unverified messages of a country";

/// Maximum number of attempts while other messages are counted. The request times out earlier: a flood is refused by
/// the policy, and not by its conflicts.
const SPENDING: u32 = 10_000;

/// Counts one message before it is sent, in one write when there is no conflict: of any number of concurrent sends to a
/// country, exactly those pass that the policy allows. Before the first message of a day, the 14 earlier days are read.
///
/// `days` are today's and yesterday's row as the caller read them, `act.at` being today; the write depends on exactly
/// that version of today's, and retries with the current one when a concurrent send was faster (optimistic locking). A
/// row that this invocation wrote last is its own write, whose response was lost; if another request wrote after the lost
/// response, the message counts twice.
///
/// # Errors
/// The inner `Err` is [`RateLimited`]; [`Fault`] when the store fails, or when every retry lost to concurrent requests:
/// then the message must not be sent.
pub async fn spend(
    update: &Table<Day, Update>,
    read: &Table<Day, BatchGet>,
    policy: Policy,
    country: &str,
    shard: u64,
    days: Days,
    act: &Hit,
) -> Result<Result<Receipt, RateLimited>, Fault> {
    let id = DayId::of(country, shard, act.at);
    let receipt = |was_over| Receipt {
        was_over,
        id: id.clone(),
        act: act.clone(),
    };
    let Days { today, yesterday } = days;
    optimistic_from(SPENDING, SUBJECT, today, async |found| {
        let today = match found {
            Some(today) if today.version > 0 => today,
            found => begun(read, &id, found, act.at).await?,
        };
        let was_over = match policy.admit(&today, yesterday.as_ref(), act.at) {
            Ok(was_over) => was_over,
            Err(limited) => return Ok(ControlFlow::Break(Err(limited))),
        };
        Ok(match update.update(&id, send(&today, act), act.at).await? {
            Changed::Yes(_) => ControlFlow::Break(Ok(receipt(was_over))),
            Changed::No(Some(day)) if day.was_sent_by(&act.by) => ControlFlow::Break(Ok(receipt(was_over))),
            Changed::No(found) => ControlFlow::Continue(found),
        })
    })
    .await
}

/// A day before its first message. It may have approvals already, see [`Day::from_item`].
async fn begun(read: &Table<Day, BatchGet>, id: &DayId, found: Option<Day>, now: Timestamp) -> Result<Day, Fault> {
    let earlier: Vec<_> = (1..=EARLIER_DAYS).map(|days| id.before(days)).collect();
    let mut batch = Batch::default();
    earlier.iter().for_each(|id| batch.want(read, id));
    let batch = batch.read().await?;
    let earlier = earlier.iter().filter_map(|id| batch.take(read, id, now).transpose());
    let best_before = unverified::best(&earlier.collect::<Result<Vec<_>, _>>()?);
    Ok(match found {
        Some(day) => Day { best_before, ..day },
        None => Day::begin(id, best_before),
    })
}

/// Counts a message in a day as it was read (optimistic locking).
fn send(today: &Day, act: &Hit) -> Change {
    let names = names(act.at);
    let values = [
        (":version", number(today.version + 1)),
        (":by", text(&act.by)),
        (":one", number(1)),
    ];
    // DynamoDB rejects a value that no expression uses.
    let (update, condition, more) = match today.version {
        0 => {
            let more = vec![(":best", number(today.best_before)), (":ttl", time(today.forget_at))];
            (names.begin.as_str(), "attribute_not_exists(version)", more)
        }
        read => (names.send.as_str(), "version = :read", vec![(":read", number(read))]),
    };
    Change {
        update,
        condition,
        values: values.into_iter().chain(more).collect(),
    }
}

/// Gives a message back: it was not sent after all. A write whose response was lost is not retried, since it may have
/// been made: no message is given back twice.
///
/// # Errors
/// [`Fault`] when the store fails: then the message may still count.
pub async fn give_back(update: &Table<Day, Update>, receipt: Receipt, now: Timestamp) -> Result<(), Fault> {
    update.update_once(&receipt.id, taken_back(&receipt.act), now).await.map(drop)
}

/// Uncounts a message. Refused where no message of its slot is counted.
fn taken_back(act: &Hit) -> Change {
    let names = names(act.at);
    Change {
        update: &names.give_back,
        condition: &names.is_counted,
        values: vec![(":by", text(giving_back(&act.by))), (":one", number(1))],
    }
}

/// The changes that count an approval of messages that were sent at these moments, one for each of their days: the
/// caller adds them to the transaction that approves, each with the [`DayId`] of that day and the messages' shard.
///
/// They depend on nothing, so that they cannot make the transaction fail.
#[must_use]
pub fn approve(sent: &[Timestamp]) -> Vec<(u64, Change)> {
    let mut days: BTreeMap<u64, BTreeMap<u64, u64>> = BTreeMap::new();
    for at in sent {
        *days.entry(unverified::day(*at)).or_default().entry(slot(*at)).or_default() += 1;
    }
    days.into_iter().map(|(day, slots)| (day, approval(day, &slots))).collect()
}

fn approval(day: u64, slots: &BTreeMap<u64, u64>) -> Change {
    let first = *slots.first_key_value().expect("a day of a message").0;
    let last = *slots.last_key_value().expect("a day of a message").0;
    // Slots between them without messages get a zero.
    let counts = (first..=last).map(|slot| {
        let count = slots.get(&slot).copied().unwrap_or_default();
        (NAMES[index(slot)].more.as_str(), number(count))
    });
    let total = [(":ttl", time(forget_at(day))), (":all", number(slots.values().sum()))];
    Change {
        update: approval_of(first, last),
        // It holds for every row, and for none.
        condition: "attribute_exists(#key) OR attribute_not_exists(#key)",
        values: counts.chain(total).collect(),
    }
}

/// The expression that counts approvals in a range of slots. There are few ranges, since the messages of one verification
/// are sent within minutes; each expression is made once and kept.
fn approval_of(first: u64, last: u64) -> &'static str {
    static MADE: Mutex<BTreeMap<(u64, u64), &'static str>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry((first, last)).or_insert_with(|| {
        let slots = NAMES[index(first)..=index(last)].iter();
        let slots: String = slots.map(|Names { approved, more, .. }| format!("{approved} {more}, ")).collect();
        format!("SET #ttl = :ttl ADD {slots}approved :all").leak()
    })
}

#[cfg(test)]
mod tests;
