//! The quota of text messages: how many the whole deployment sends, in all and to each country, in a minute and in a
//! day (R31). It caps the cost of SMS pumping, whatever the source.
//!
//! An exhausted quota must not lock out existing users (R79). So half of each window is reserved for established
//! factors ([`Trust::Established`]): the messages of all others are also counted separately, and may use no more than
//! the other half.
//!
//! A message counts as two parts; once its code was verified, one of them is given back. It is a half, and not more,
//! because an attacker who reads the codes gets that room, too: no window holds more than twice its messages.
//!
//! Both windows roll. Messages are counted in slots of ten seconds and of an hour, and the slots that a window can
//! overlap count whole: no span of a minute or a day holds more parts than the policy allows, and the stored state is
//! bounded. The price is that a message may count for one slot longer than its window.
//!
//! A day may also be bounded in money. A message costs the same whether its code was verified or not, and those of
//! factors that are not established may cost no more than half.
//!
//! # Shards
//!
//! Each message changes a row, and a row takes some tens of changes a second. So the quota may be divided into shards,
//! each with a row of its own. A message belongs to one shard, by its recipient ([`Shard::of`]), and each shard enforces
//! its part of every limit: the limit, and the half of newcomers, divided by the number of shards and rounded down
//! ([`Policy::of_shard`]). The error has one sign:
//!
//! - The total never exceeds a limit, because the parts together do not: of a limit of `L` messages, `N` shards allow at
//!   least `L - N + 1` and at most `L`.
//! - A message may be refused while the total is below the limit, if its own shard is full: with all messages in one
//!   shard from `L / N` on. Recipients are spread by a digest, so of `M` messages a shard gets `M / N` on average, with a
//!   standard deviation of the square root of that: the fullest shard hardly ever refuses before
//!   `1 - sqrt(2 * ln(N) * N / L)` of the limit. docs/scale.md has numbers.
//! - A limit that is reached by the recipients of one shard affects that shard, one in `N` of all recipients, and no
//!   other.
//!
//! When the number of shards changes, recipients move to other rows, whose windows know nothing of what the earlier ones
//! counted: until a minute and a day have passed, those windows hold up to twice their limit.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{
    prices::Money,
    rate_limit::{Hit, RateLimited},
};
use crate::domain::{crypto::secret::framed, people::factor::Trust, time::Timestamp};

/// The parts that a message counts as.
const WHOLE: u64 = 2;

/// The parts that are given back once its code was verified.
const GIVEN_BACK: u64 = 1;

/// The operator's policy. Every limit is at least one. Limits are numbers of messages whose codes are not verified; of
/// verified ones, twice as many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Messages in any minute.
    pub per_minute: u64,
    /// Messages in any day.
    pub per_day: u64,
    /// Messages to one country in any minute.
    pub country_per_minute: u64,
    /// Messages to one country in any day.
    pub country_per_day: u64,
    /// What the messages of one shard may cost in any day, if that is bounded.
    pub money: Option<Money>,
    /// The number of shards, at least one. At most the half of each limit, so that each shard has room for a message of
    /// either kind.
    pub shards: u64,
}

impl Policy {
    /// What one shard enforces: its part of each limit, rounded down, so that the shards together allow no more than
    /// the limit. At least one message, as all limits. The money is one shard's already.
    #[must_use]
    pub fn of_shard(&self) -> Self {
        let part = |limit: u64| (limit / self.shards).max(1);
        Self {
            per_minute: part(self.per_minute),
            per_day: part(self.per_day),
            country_per_minute: part(self.country_per_minute),
            country_per_day: part(self.country_per_day),
            money: self.money.clone(),
            shards: self.shards,
        }
    }

    /// The maximum number of shards: with more, the parts of the smallest limit, each at least one, would exceed it, or
    /// its half.
    #[must_use]
    pub fn most_shards(&self) -> u64 {
        let half = self.half();
        let limits = [
            half.per_minute,
            half.per_day,
            half.country_per_minute,
            half.country_per_day,
        ];
        limits.into_iter().fold(u64::MAX, u64::min)
    }

    /// Half of the quota, rounded up, so that the other half stays reserved; of the money, half rounded down.
    #[must_use]
    pub fn half(&self) -> Self {
        Self {
            per_minute: self.per_minute.div_ceil(2),
            per_day: self.per_day.div_ceil(2),
            country_per_minute: self.country_per_minute.div_ceil(2),
            country_per_day: self.country_per_day.div_ceil(2),
            money: self.money.as_ref().map(Money::half),
            shards: self.shards,
        }
    }
}

/// One of the parts that the quota is divided into: a number below [`Policy::shards`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shard(u64);

impl Shard {
    /// The only one of an undivided quota.
    pub const FIRST: Self = Self(0);

    /// The shard of a recipient's messages, among so many, at least one. It depends on the recipient only, so that a
    /// message is given back and verified where it was counted. The recipient is what is known of it before anything is
    /// read: the user of a login, the number of a verification.
    #[must_use]
    pub fn of(recipient: &[u8], shards: u64) -> Self {
        let digest: [u8; 32] = Sha256::digest(framed(&[b"shard of text messages", recipient])).into();
        let first = *digest.first_chunk().expect("a digest has 32 bytes");
        Self(u64::from_be_bytes(first) % shards)
    }

    /// The shard of that number.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

/// A message, as the quota counts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The prefix of the recipient's country.
    pub country: String,
    /// Whether it may use the reserved half of each window.
    pub trust: Trust,
}

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// There were too many messages.
    Messages(RateLimited),
    /// The messages of the day cost as much as they may, and perhaps there were too many as well.
    Money(RateLimited),
}

impl Exhausted {
    /// When there is room again.
    #[must_use]
    pub fn limited(self) -> RateLimited {
        match self {
            Self::Messages(limited) | Self::Money(limited) => limited,
        }
    }
}

/// The messages of one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages sent.
    pub sent: u64,
    /// Those of them whose codes were verified.
    pub verified: u64,
}

impl Tally {
    /// The parts that they count as.
    fn parts(self) -> u64 {
        self.sent * WHOLE - self.verified.min(self.sent) * GIVEN_BACK
    }
}

/// Messages by slot, numbered since the epoch.
pub type Slots = BTreeMap<u64, Tally>;

/// The messages to one country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In slots of ten seconds, while they count for the minute.
    pub minute: Slots,
    /// In slots of an hour, while they count for the day.
    pub day: Slots,
}

/// Counts by country prefix; countries without recent messages are left out.
pub type Countries = BTreeMap<String, Counts>;

/// The recent messages of one shard. The total is the sum over the countries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Whose messages these are.
    pub shard: Shard,
    /// The version for optimistic locking; zero if nothing was ever sent.
    pub version: u64,
    /// The last change, so that its retry after a lost response is recognized.
    pub last_by: String,
    /// When the last message was counted, in whole seconds.
    pub last_at: Timestamp,
    /// All messages.
    pub all: Countries,
    /// Those of them whose factors are not established.
    pub newcomers: Countries,
}

/// A rolling window, and the slots in which it is counted.
struct Span {
    slot: u64,
    slots: u64,
    of: fn(&mut Counts) -> &mut Slots,
}

const MINUTE: Span = Span {
    slot: 10,
    slots: 6,
    of: |counts| &mut counts.minute,
};

const DAY: Span = Span {
    slot: 3600,
    slots: 24,
    of: |counts| &mut counts.day,
};

impl Span {
    fn slot(&self, at: Timestamp) -> u64 {
        at.seconds() / self.slot
    }

    /// Whether a slot can overlap the window that ends in the slot `end`.
    fn counts(&self, slot: u64, end: u64) -> bool {
        slot + self.slots >= end
    }

    /// Seconds until there is room for another message under `max` messages, if nothing else is sent.
    fn wait(&self, sent: &[(u64, Tally)], max: u64, at: Timestamp) -> u64 {
        let parts: Vec<_> = sent.iter().map(|(slot, tally)| (*slot, tally.parts())).collect();
        self.wait_for(WHOLE, &parts, max * WHOLE, at)
    }

    /// Seconds until `one` more fits under `max`, if nothing else is used.
    fn wait_for(&self, one: u64, used: &[(u64, u64)], max: u64, at: Timestamp) -> u64 {
        let sum = |end| {
            let live = used.iter().filter(|(slot, _)| self.counts(*slot, end));
            live.map(|(_, amount)| amount).sum::<u64>()
        };
        let now = self.slot(at);
        let free = (now..=now + self.slots).find(|end| sum(*end) + one <= max);
        // One slot later no message sent until now counts.
        let free = free.unwrap_or(now + self.slots + 1);
        (free * self.slot).saturating_sub(at.seconds())
    }
}

impl Quota {
    /// The quota of a shard before its first message.
    #[must_use]
    pub fn none(shard: Shard) -> Self {
        Self {
            shard,
            version: 0,
            last_by: String::new(),
            last_at: Timestamp::from_seconds(0),
            all: Countries::new(),
            newcomers: Countries::new(),
        }
    }

    /// Counts one message to a country before it is sent. [`Self::last_at`] of the result is when it counts as sent.
    ///
    /// Concurrent requests carry times in another order than their writes. Time does not run backwards here: a message
    /// counts as sent no earlier than those before it, so that no wait is longer than its window and a slot.
    ///
    /// # Errors
    /// [`Exhausted`] when a window is full; a refused message is not counted, so that it does not extend the wait.
    pub fn spend(self, policy: &Policy, message: &Message, act: &Hit) -> Result<Self, Exhausted> {
        let at = Timestamp::from_seconds(act.at.max(self.last_at).seconds());
        let mut next = self.successor(act.by.clone(), at);
        let (mut retry_after, mut until_money) = (0, 0);
        let policies = [policy.of_shard(), policy.half().of_shard()];
        for (countries, policy) in next.ledgers(message.trust).zip(policies) {
            if let Some(money) = &policy.money {
                until_money = until_money.max(wait_for_money(money, countries, message, at));
            }
            for (span, to_country, in_all) in [
                (MINUTE, policy.country_per_minute, policy.per_minute),
                (DAY, policy.country_per_day, policy.per_day),
            ] {
                let all = countries.values_mut();
                let all: Vec<_> = all.flat_map(|counts| (span.of)(counts).clone()).collect();
                let counts = countries.entry(message.country.clone()).or_default();
                let slots = (span.of)(counts);
                let own: Vec<_> = slots.clone().into_iter().collect();
                retry_after = retry_after.max(span.wait(&all, in_all, at)).max(span.wait(&own, to_country, at));
                slots.entry(span.slot(at)).or_default().sent += 1;
            }
        }
        let limited = RateLimited {
            retry_after: retry_after.max(until_money),
        };
        match (retry_after, until_money) {
            (0, 0) => Ok(Self { last_at: at, ..next }),
            (_, 0) => Err(Exhausted::Messages(limited)),
            (_, _) => Err(Exhausted::Money(limited)),
        }
    }

    /// The ledgers that a message counts in: that of all messages, and that of newcomers unless its factor is
    /// established.
    fn ledgers(&mut self, trust: Trust) -> impl Iterator<Item = &mut Countries> {
        let by_themselves = match trust {
            Trust::Established => None,
            Trust::New => Some(&mut self.newcomers),
        };
        [&mut self.all].into_iter().chain(by_themselves)
    }

    /// The stored tallies of a message that counts as sent at `sent_at`.
    fn tallies(&mut self, message: &Message, sent_at: Timestamp) -> impl Iterator<Item = &mut Tally> {
        let of = self.ledgers(message.trust);
        let of = of.filter_map(|countries| countries.get_mut(&message.country));
        of.flat_map(move |Counts { minute, day }| {
            let minute = minute.get_mut(&MINUTE.slot(sent_at));
            minute.into_iter().chain(day.get_mut(&DAY.slot(sent_at)))
        })
    }

    /// Gives back a message that counts as sent at `act.at` but was not sent: it no longer uses the quota.
    #[must_use]
    pub fn give_back(self, message: &Message, act: &Hit, now: Timestamp) -> Self {
        let at = now.max(self.last_at);
        let mut next = self.successor(giving_back(&act.by), at);
        for tally in next.tallies(message, act.at) {
            tally.sent = tally.sent.saturating_sub(1);
        }
        next.tidied(at)
    }

    /// The quota after the code of a message issued at `act.at` was verified: it counts for less. `None` where it no
    /// longer counts, or where all messages of its slot were verified.
    ///
    /// A message counts as sent no earlier than its code was issued ([`Self::spend`]). Where it counts in a later slot,
    /// another message's part is given back, for a shorter time and never for a longer one.
    #[must_use]
    pub fn verified(self, message: &Message, act: &Hit, now: Timestamp) -> Option<Self> {
        let at = now.max(self.last_at);
        let mut next = self.successor(format!("{} was verified", act.by), at);
        let mut is_less = false;
        for tally in next.tallies(message, act.at) {
            if tally.verified < tally.sent {
                tally.verified += 1;
                is_less = true;
            }
        }
        is_less.then_some(next)
    }

    /// Whether the last change was this spending.
    #[must_use]
    pub fn was_spent_by(&self, by: &str) -> bool {
        self.last_by == by
    }

    /// Whether the last change was this giving back.
    #[must_use]
    pub fn was_given_back_by(&self, by: &str) -> bool {
        self.last_by == giving_back(by)
    }

    fn successor(self, by: String, at: Timestamp) -> Self {
        let next = Self {
            version: self.version + 1,
            last_by: by,
            ..self
        };
        next.tidied(at)
    }

    /// Removes the slots that no longer count.
    fn tidied(mut self, at: Timestamp) -> Self {
        for countries in [&mut self.all, &mut self.newcomers] {
            countries.retain(|_, counts| {
                for span in [MINUTE, DAY] {
                    let end = span.slot(at);
                    (span.of)(counts).retain(|slot, tally| tally.sent > 0 && span.counts(*slot, end));
                }
                *counts != Counts::default()
            });
        }
        self
    }
}

/// Seconds until the day's money pays for another message. About a day where it never does.
fn wait_for_money(money: &Money, countries: &Countries, message: &Message, at: Timestamp) -> u64 {
    let spent = countries.iter().flat_map(|(country, counts)| {
        let price = money.price(country);
        counts.day.iter().map(move |(slot, tally)| (*slot, tally.sent.saturating_mul(price)))
    });
    let spent: Vec<_> = spent.collect();
    DAY.wait_for(money.price(&message.country), &spent, money.per_day, at)
}

fn giving_back(by: &str) -> String {
    format!("{by} gives back")
}

#[cfg(test)]
mod tests;
