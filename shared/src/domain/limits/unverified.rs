//! The budget of unverified messages: how many text messages a country may have that no approval followed, in an hour
//! and in a day. Toll fraud (SMS pumping) leaves messages that are never verified; real users verify nearly all of
//! theirs, so that the budget grows with them, and an attack on a country without users ends after a few messages.
//!
//! A day has at most `max(20, 20 % of the largest verified day of the last 14, 20 % of the last 24 hours' verified)`, an
//! hour at most `max(3, a sixth of the day's limit, 20 % of the last hour's verified)`.
//!
//! Both windows roll, in slots of five minutes. A slot counts while any part of it is within the window, so that no
//! span of an hour or a day has more unverified messages than its limit; a message may count for one slot longer than
//! its window.
//!
//! With several shards, each enforces the rule on its own messages, with its part of the fixed limits, rounded down but
//! at least one. The error bound: for `n` shards the fixed limits are together at most `max(20, n)` a day and `max(3, n)`
//! an hour, and a shard may refuse at `20/n` and `3/n`, when the others have room. A fifth of each shard's verified
//! messages is together no more than a fifth of all, and less by fewer than `n` messages because of rounding. Only the
//! largest days of the shards may be different days: together they exceed the country's largest day by the imbalance
//! between shards.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::rate_limit::RateLimited;
use crate::domain::{crypto::secret::framed, time::Timestamp};

/// The slots of a day.
pub const SLOTS: u64 = 288;

/// The days before a day of which the largest counts.
pub const EARLIER_DAYS: u64 = 14;

const SECONDS_OF_SLOT: u64 = 300;
const SECONDS_OF_DAY: u64 = 86_400;

/// For how many days after its own a row is stored: two more than it is read.
const DAYS_KEPT: u64 = EARLIER_DAYS + 2;

/// Unverified messages that a day may always have, and an hour.
const ALWAYS: Limits = Limits { day: 20, hour: 3 };

/// A fifth of the verified messages may be unverified ones: 20 %.
const VERIFIED_FOR_ONE: u64 = 5;

/// An hour may have a sixth of the day's limit.
const HOURS_OF_LIMIT: u64 = 6;

/// The slots of a day and of an hour.
const WINDOWS: Limits = Limits { day: SLOTS, hour: 12 };

/// What happens to a message beyond the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is refused.
    Enforce,
    /// It is sent and counted, and the caller prints a metric.
    Record,
}

/// The operator's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What happens beyond the budget.
    pub mode: Mode,
    /// The number of shards, at least one.
    pub shards: u64,
}

/// The id of a day's row: a UTC day, numbered since the epoch, of one shard of one country.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayId {
    /// The prefix of the country.
    pub country: String,
    /// The shard.
    pub shard: u64,
    /// The day.
    pub day: u64,
}

impl DayId {
    /// The day of a moment.
    #[must_use]
    pub fn of(country: &str, shard: u64, at: Timestamp) -> Self {
        Self {
            country: country.to_owned(),
            shard,
            day: day(at),
        }
    }

    /// The same shard's row of an earlier day.
    #[must_use]
    pub fn before(&self, days: u64) -> Self {
        Self {
            day: self.day.saturating_sub(days),
            ..self.clone()
        }
    }

    /// The key of the row among those of rate limits.
    #[must_use]
    pub fn subject(&self) -> [u8; 32] {
        let (shard, day) = (self.shard.to_be_bytes(), self.day.to_be_bytes());
        Sha256::digest(framed(&[b"unverified messages", self.country.as_bytes(), &shard, &day])).into()
    }
}

/// The UTC day of a moment, numbered since the epoch.
#[must_use]
pub fn day(at: Timestamp) -> u64 {
    at.seconds() / SECONDS_OF_DAY
}

/// The slot of a moment within its day.
#[must_use]
pub fn slot(at: Timestamp) -> u64 {
    moment(at) % SLOTS
}

/// When the row of a day is deleted.
#[must_use]
pub fn forget_at(day: u64) -> Timestamp {
    Timestamp::from_seconds((day + 1 + DAYS_KEPT) * SECONDS_OF_DAY)
}

/// The slot of a moment, numbered since the epoch.
fn moment(at: Timestamp) -> u64 {
    at.seconds() / SECONDS_OF_SLOT
}

/// The messages of one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages sent.
    pub sent: u64,
    /// Those of them that an approval followed.
    pub approved: u64,
}

/// One day of one shard of a country.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// Its key.
    pub subject: [u8; 32],
    /// The version for optimistic locking: the number of sends that were counted. Zero if there was none.
    pub version: u64,
    /// The last send, so that its retry after a lost response is recognized.
    pub last_by: String,
    /// The messages by slot of the day; slots without messages are left out.
    pub slots: BTreeMap<u64, Tally>,
    /// All messages of the day.
    pub total: Tally,
    /// The largest number of approved messages in one of the 14 days before, as of the first send of this day.
    pub best_before: u64,
    /// When the row is deleted.
    pub forget_at: Timestamp,
}

/// What the rule depends on, as it was read.
#[derive(Clone, Debug, Default)]
pub struct Days {
    /// The row of the message's day.
    pub today: Option<Day>,
    /// The row of the day before.
    pub yesterday: Option<Day>,
}

/// Numbers for a day and for an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For 24 hours.
    pub day: u64,
    /// For an hour.
    pub hour: u64,
}

/// How much of the budget is used at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Messages that no approval has followed yet.
    pub unverified: Limits,
    /// How many of them there may be.
    pub limits: Limits,
}

impl Standing {
    /// Whether there is room for one more message, which is unverified at first.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.unverified.day < self.limits.day && self.unverified.hour < self.limits.hour
    }
}

impl Day {
    /// A day without messages.
    #[must_use]
    pub fn begin(id: &DayId, best_before: u64) -> Self {
        Self {
            subject: id.subject(),
            version: 0,
            last_by: String::new(),
            slots: BTreeMap::new(),
            total: Tally::default(),
            best_before,
            forget_at: forget_at(id.day),
        }
    }

    /// The day with one more message.
    #[must_use]
    pub fn with_sent(mut self, at: Timestamp, by: &str) -> Self {
        self.slots.entry(slot(at)).or_default().sent += 1;
        self.total.sent += 1;
        Self {
            version: self.version + 1,
            last_by: by.to_owned(),
            ..self
        }
    }

    /// The day after the approval of a message that was sent at `at`.
    #[must_use]
    pub fn with_approved(mut self, at: Timestamp) -> Self {
        self.slots.entry(slot(at)).or_default().approved += 1;
        self.total.approved += 1;
        self
    }

    /// The day without a message that was counted at `at` but not sent.
    #[must_use]
    pub fn without(mut self, at: Timestamp, by: &str) -> Self {
        let Some(tally) = self.slots.get_mut(&slot(at)).filter(|tally| tally.sent > 0) else {
            return self;
        };
        tally.sent -= 1;
        self.total.sent = self.total.sent.saturating_sub(1);
        self.last_by = giving_back(by);
        self.slots.retain(|_, tally| *tally != Tally::default());
        self
    }

    /// Whether the last send was this one.
    #[must_use]
    pub fn was_sent_by(&self, by: &str) -> bool {
        self.last_by == by
    }
}

/// The mark of a message that was given back: the same invocation may count another one.
#[must_use]
pub fn giving_back(by: &str) -> String {
    format!("{by} gives back")
}

/// Everything that counts at and after a moment.
struct Ledger {
    /// By slots since the epoch.
    slots: BTreeMap<u64, Tally>,
    /// The verified messages of whole days, by day.
    verified: Vec<(u64, u64)>,
    best_before: u64,
}

impl Ledger {
    fn of(today: &Day, yesterday: Option<&Day>, at: Timestamp) -> Self {
        let number = day(at);
        let days = [(number, Some(today)), (number.saturating_sub(1), yesterday)];
        let days: Vec<_> = days.into_iter().filter_map(|(number, day)| Some((number, day?))).collect();
        let slots = |(number, day): &(u64, &Day)| {
            let first = number * SLOTS;
            let slots = day.slots.iter().map(move |(slot, tally)| (first + slot, *tally));
            slots.collect::<Vec<_>>()
        };
        Self {
            slots: days.iter().flat_map(slots).collect(),
            verified: days.iter().map(|(number, day)| (*number, day.total.approved)).collect(),
            best_before: today.best_before,
        }
    }

    /// Unverified and verified messages of the window that ends in the slot `end`.
    fn window(&self, slots: u64, end: u64) -> (u64, u64) {
        // Concurrent requests carry times in another order than their writes: later slots count, too.
        let live = self.slots.range(end.saturating_sub(slots)..).map(|(_, tally)| tally);
        live.fold((0, 0), |(unverified, verified), tally| {
            (unverified + tally.sent.saturating_sub(tally.approved), verified + tally.approved)
        })
    }

    fn standing(&self, policy: &Policy, end: u64) -> Standing {
        let (in_day, verified_in_day) = self.window(WINDOWS.day, end);
        let (in_hour, verified_in_hour) = self.window(WINDOWS.hour, end);
        let earlier = self.verified.iter().filter(|(day, _)| *day < end / SLOTS).map(|(_, verified)| *verified);
        let best = earlier.fold(self.best_before, u64::max);
        let part = |limit: u64| (limit / policy.shards.max(1)).max(1);
        let day = part(ALWAYS.day).max(best.max(verified_in_day) / VERIFIED_FOR_ONE);
        let hour = part(ALWAYS.hour).max(day / HOURS_OF_LIMIT).max(verified_in_hour / VERIFIED_FOR_ONE);
        Standing {
            unverified: Limits {
                day: in_day,
                hour: in_hour,
            },
            limits: Limits { day, hour },
        }
    }

    /// The first slot at which no message counts any more.
    fn end(&self, now: u64) -> u64 {
        let last = self.slots.last_key_value().map_or(now, |(slot, _)| now.max(*slot));
        last + WINDOWS.day + 1
    }
}

impl Policy {
    /// How much of the budget is used at a moment of the day `today`.
    #[must_use]
    pub fn standing(&self, today: &Day, yesterday: Option<&Day>, at: Timestamp) -> Standing {
        Ledger::of(today, yesterday, at).standing(self, moment(at))
    }

    /// Whether one more message may be sent: `true` if it is beyond the budget and only recorded.
    ///
    /// # Errors
    /// [`RateLimited`] until the first moment at which there would be room if nothing else happened. What is unknown:
    /// whether the largest day is then still one of the last 14.
    pub fn admit(&self, today: &Day, yesterday: Option<&Day>, at: Timestamp) -> Result<bool, RateLimited> {
        let ledger = Ledger::of(today, yesterday, at);
        let now = moment(at);
        match (ledger.standing(self, now).has_room(), self.mode) {
            (true, _) => Ok(false),
            (false, Mode::Record) => Ok(true),
            (false, Mode::Enforce) => {
                let last = ledger.end(now);
                let free = (now + 1..last).find(|end| ledger.standing(self, *end).has_room());
                let free = free.unwrap_or(last);
                Err(RateLimited {
                    retry_after: (free * SECONDS_OF_SLOT).saturating_sub(at.seconds()),
                })
            }
        }
    }
}

/// The largest number of approved messages in one of these days.
#[must_use]
pub fn best(earlier: &[Day]) -> u64 {
    earlier.iter().map(|day| day.total.approved).max().unwrap_or_default()
}

#[cfg(test)]
mod tests;
