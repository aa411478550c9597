//! Replays messages one after the other, by the rules that the functions use.

use std::collections::{BTreeMap, VecDeque};

use countersign_shared::domain::limits::quota::{self, Exhausted, Quota, Shard};
use countersign_shared::domain::limits::rate_limit::Hit;
use countersign_shared::domain::limits::unverified::{self, Day, DayId, EARLIER_DAYS};
use countersign_shared::domain::people::factor::Trust;
use countersign_shared::domain::time::Timestamp;
use countersign_shared::runtime::settings::MessageLimits;

use super::traffic::Message;

/// Seconds from a message to its approval.
const UNTIL_APPROVAL: u64 = 30;

/// The messages to one country on one day, or several of these together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) messages: u64,
    pub(super) sent: u64,
    /// Refused by the budget of unverified messages.
    pub(super) by_budget: u64,
    /// Refused by the numbers of messages of the country and the deployment.
    pub(super) by_quota: u64,
    /// Refused by the money of a day.
    pub(super) by_money: u64,
    /// Refused because the country is not listed.
    pub(super) by_country: u64,
    /// Sent, and beyond the budget: it is only recorded.
    pub(super) over: u64,
    pub(super) approved: u64,
    /// What messages cost, in micro-dollars.
    pub(super) spent: u64,
    /// What the refused ones would have cost.
    pub(super) saved: u64,
    /// The most unverified messages that the budget allowed in 24 hours.
    pub(super) limit: u64,
}

impl Counts {
    pub(super) fn refused(&self) -> u64 {
        self.messages - self.sent
    }

    /// Adds the numbers of another one; the limit is the larger of the two.
    pub(super) fn and(self, other: &Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            sent: self.sent + other.sent,
            by_budget: self.by_budget + other.by_budget,
            by_quota: self.by_quota + other.by_quota,
            by_money: self.by_money + other.by_money,
            by_country: self.by_country + other.by_country,
            over: self.over + other.over,
            approved: self.approved + other.approved,
            spent: self.spent + other.spent,
            saved: self.saved + other.saved,
            limit: self.limit.max(other.limit),
        }
    }
}

/// By day and country.
pub(super) type Report = BTreeMap<(u64, String), Counts>;

/// What has been counted so far.
struct State {
    quota: Quota,
    days: BTreeMap<(String, u64), Day>,
    /// Messages that are approved later, in the order of their times.
    waiting: VecDeque<Hit>,
    /// The countries of these.
    countries: VecDeque<String>,
}

impl State {
    /// The row of a day, as the first message of that day begins it.
    fn day(&self, id: &DayId) -> Day {
        let found = |id: &DayId| self.days.get(&(id.country.clone(), id.day)).cloned();
        found(id).unwrap_or_else(|| {
            let earlier: Vec<_> = (1..=EARLIER_DAYS).filter_map(|days| found(&id.before(days))).collect();
            Day::begin(id, unverified::best(&earlier))
        })
    }

    /// Approves what was sent half a minute ago or earlier.
    fn approve(&mut self, now: Timestamp) {
        while let Some(act) = self.waiting.front()
            && act.at.deadline(UNTIL_APPROVAL) <= now
        {
            let (Some(act), Some(country)) = (self.waiting.pop_front(), self.countries.pop_front()) else {
                return;
            };
            if let Some(day) = self.days.get_mut(&(country.clone(), unverified::day(act.at))) {
                *day = day.clone().with_approved(act.at);
            }
        }
    }
}

/// The numbers of a verification are not those of established factors.
fn message(country: &str) -> quota::Message {
    quota::Message {
        country: country.to_owned(),
        trust: Trust::New,
    }
}

pub(super) fn replay(limits: &MessageLimits, messages: &[Message]) -> Report {
    let mut state = State {
        quota: Quota::none(Shard::FIRST),
        days: BTreeMap::new(),
        waiting: VecDeque::new(),
        countries: VecDeque::new(),
    };
    let mut report = Report::new();
    for (one, number) in messages.iter().zip(1..) {
        state.approve(one.at);
        let counts = report.entry((unverified::day(one.at), one.country.clone())).or_default();
        counts.messages += 1;
        let price = limits.prices.of(&one.country).unwrap_or_default();
        let before = counts.sent;
        send(limits, &mut state, one, number, counts);
        match counts.sent > before {
            true => {
                counts.spent += price;
                counts.approved += u64::from(one.verified);
            }
            false => counts.saved += price,
        }
    }
    report
}

/// Sends a message, or counts why not.
fn send(limits: &MessageLimits, state: &mut State, one: &Message, number: u64, counts: &mut Counts) {
    if !limits.countries.prefixes().any(|prefix| prefix == one.country) {
        counts.by_country += 1;
        return;
    }
    let id = DayId::of(&one.country, 0, one.at);
    let (today, yesterday) = (state.day(&id), state.days.get(&(one.country.clone(), id.day.saturating_sub(1))));
    counts.limit = counts.limit.max(limits.unverified.standing(&today, yesterday, one.at).limits.day);
    let Ok(is_over) = limits.unverified.admit(&today, yesterday, one.at) else {
        counts.by_budget += 1;
        return;
    };
    let act = Hit {
        at: one.at,
        by: number.to_string(),
    };
    match state.quota.clone().spend(&limits.quota, &message(&one.country), &act) {
        Ok(quota) => state.quota = quota,
        Err(Exhausted::Messages(_)) => {
            counts.by_quota += 1;
            return;
        }
        Err(Exhausted::Money(_)) => {
            counts.by_money += 1;
            return;
        }
    }
    counts.sent += 1;
    counts.over += u64::from(is_over);
    state.days.insert((one.country.clone(), id.day), today.with_sent(one.at, &act.by));
    if one.verified {
        state.waiting.push_back(act);
        state.countries.push_back(one.country.clone());
    }
}
