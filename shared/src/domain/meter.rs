//! The meter of all text messages: how many the whole deployment sends, in all and to each country, in a minute and in a
//! day (R31). Pumping is stopped by what it costs at most, whoever asks and from wherever.
//!
//! Both windows roll. What was sent is counted in slots of ten seconds and of an hour, and the slots that a window can
//! overlap count whole: no span of a minute or a day holds more than the policy allows, and what must be remembered is
//! bounded. The price is that a message may count for one slot longer than its window.

use std::collections::BTreeMap;

use super::{
    budget::{Act, Exhausted},
    time::Timestamp,
};

/// What the operator decides. All of them allow at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Messages in any minute.
    pub per_minute: u64,
    /// Messages in any day.
    pub per_day: u64,
    /// Messages to one country in any minute.
    pub country_per_minute: u64,
    /// Messages to one country in any day.
    pub country_per_day: u64,
}

impl Policy {
    /// Half of it, rounded up: for what shall leave the other half to others.
    #[must_use]
    pub fn half(self) -> Self {
        Self {
            per_minute: self.per_minute.div_ceil(2),
            per_day: self.per_day.div_ceil(2),
            country_per_minute: self.country_per_minute.div_ceil(2),
            country_per_day: self.country_per_day.div_ceil(2),
        }
    }
}

/// How many messages, by the slot in which they were sent: its number since the epoch.
pub type Slots = BTreeMap<u64, u64>;

/// What was sent to one country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In slots of ten seconds, as long as they count for the minute.
    pub minute: Slots,
    /// In slots of an hour, as long as they count for the day.
    pub day: Slots,
}

/// What the whole deployment has sent lately. What it has sent in all is what it has sent to the countries together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    /// It grows with every change; zero where nothing was ever sent.
    pub version: u64,
    /// What changed it last: a repetition of that change after a lost response is recognised by it.
    pub last_by: String,
    /// When the last message was counted, in whole seconds.
    pub last_at: Timestamp,
    /// By the country's prefix; without those that nothing was sent to lately.
    pub countries: BTreeMap<String, Counts>,
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

    /// In how many seconds there are fewer than `max`, if nothing else is sent.
    fn wait(&self, sent: &[(u64, u64)], max: u64, at: Timestamp) -> u64 {
        let sum = |end| {
            let live = sent.iter().filter(|(slot, _)| self.counts(*slot, end));
            live.map(|(_, count)| count).sum::<u64>()
        };
        let now = self.slot(at);
        let free = (now..=now + self.slots).find(|end| sum(*end) < max);
        // One slot later nothing counts that was sent until now.
        let free = free.unwrap_or(now + self.slots + 1);
        (free * self.slot).saturating_sub(at.seconds())
    }
}

impl Meter {
    /// Nothing yet.
    #[must_use]
    pub fn none() -> Self {
        Self {
            version: 0,
            last_by: String::new(),
            last_at: Timestamp::from_seconds(0),
            countries: BTreeMap::new(),
        }
    }

    /// Counts one message to a country before it is sent. [`Self::last_at`] of the answer is when it counts as sent.
    ///
    /// Requests that arrive together carry times in another order than their writes. Time does not run backwards here:
    /// a message counts as sent no earlier than those before it, so that no wait is longer than its window and a slot.
    ///
    /// # Errors
    /// [`Exhausted`] when a window is full; a refused message is not counted, so that it does not extend the wait.
    pub fn spend(self, policy: &Policy, country: &str, act: &Act) -> Result<Self, Exhausted> {
        let at = Timestamp::from_seconds(act.at.max(self.last_at).seconds());
        let mut next = self.successor(act.by.clone(), at);
        let mut retry_after = 0;
        for (span, to_country, in_all) in [
            (MINUTE, policy.country_per_minute, policy.per_minute),
            (DAY, policy.country_per_day, policy.per_day),
        ] {
            let all = next.countries.values_mut();
            let all: Vec<_> = all.flat_map(|counts| (span.of)(counts).clone()).collect();
            let counts = next.countries.entry(country.to_owned()).or_default();
            let slots = (span.of)(counts);
            let own: Vec<_> = slots.clone().into_iter().collect();
            retry_after = retry_after
                .max(span.wait(&all, in_all, at))
                .max(span.wait(&own, to_country, at));
            *slots.entry(span.slot(at)).or_default() += 1;
        }
        match retry_after {
            0 => Ok(Self { last_at: at, ..next }),
            retry_after => Err(Exhausted { retry_after }),
        }
    }

    /// Takes back a message that counts as sent at `act.at`, and was not sent after all: nobody will wait because of it.
    #[must_use]
    pub fn give_back(self, country: &str, act: &Act, now: Timestamp) -> Self {
        let at = now.max(self.last_at);
        let mut next = self.successor(giving_back(&act.by), at);
        if let Some(counts) = next.countries.get_mut(country) {
            for span in [MINUTE, DAY] {
                if let Some(count) = (span.of)(counts).get_mut(&span.slot(act.at)) {
                    *count = count.saturating_sub(1);
                }
            }
        }
        next.tidied(at)
    }

    /// Whether the last change was this one, which spent.
    #[must_use]
    pub fn was_spent_by(&self, by: &str) -> bool {
        self.last_by == by
    }

    /// Whether the last change was this one, which gave back.
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

    /// Without what does not count any more.
    fn tidied(mut self, at: Timestamp) -> Self {
        self.countries.retain(|_, counts| {
            for span in [MINUTE, DAY] {
                let end = span.slot(at);
                (span.of)(counts).retain(|slot, count| *count > 0 && span.counts(*slot, end));
            }
            *counts != Counts::default()
        });
        self
    }
}

fn giving_back(by: &str) -> String {
    format!("{by} gives back")
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        per_minute: 4,
        per_day: 6,
        country_per_minute: 2,
        country_per_day: 5,
    };

    fn act(seconds: u64) -> Act {
        Act {
            at: Timestamp::from_seconds(seconds),
            by: format!("at {seconds}"),
        }
    }

    /// Messages that are all let through.
    fn sent(messages: &[(&str, u64)]) -> Meter {
        messages.iter().fold(Meter::none(), |meter, (country, at)| {
            meter.spend(&POLICY, country, &act(*at)).expect("there is room")
        })
    }

    fn check(messages: &[(&str, u64)], country: &str, at: u64, expected: Result<(), u64>) {
        let found = sent(messages).spend(&POLICY, country, &act(at)).map(drop);
        let expected = expected.map_err(|retry_after| Exhausted { retry_after });
        assert_eq!(found, expected, "{messages:?}, then {country} at {at}");
        if let Err(Exhausted { retry_after }) = expected {
            for (at, room) in [(at + retry_after - 1, false), (at + retry_after, true)] {
                let found = sent(messages).spend(&POLICY, country, &act(at));
                assert_eq!(found.is_ok(), room, "{messages:?}, then {country} at {at}");
            }
        }
    }

    #[test]
    fn every_window_must_have_room() {
        check(&[], "1", 5, Ok(()));
        // A country's minute: what was sent in the slot of seconds 0 to 9 counts until 70.
        check(&[("1", 5), ("1", 6)], "1", 7, Err(63));
        check(&[("1", 5), ("1", 6)], "1", 69, Err(1));
        check(&[("1", 5), ("1", 6)], "44", 7, Ok(()));
        // The minute of all.
        check(&[("1", 5), ("1", 6), ("44", 10), ("44", 10)], "380", 20, Err(50));
        // A country's day: the hour of the first counts until the 25th is over.
        let five = [("1", 0), ("1", 100), ("1", 4000), ("1", 4100), ("1", 4200)];
        check(&five, "1", 4300, Err(85_700));
        check(&five, "44", 4300, Ok(()));
        // The day of all.
        check(&[&five[..], &[("44", 4300)]].concat(), "380", 4400, Err(85_600));
        // The longest wait counts.
        check(
            &[&five[..3], &[("1", 4201), ("1", 4202)]].concat(),
            "1",
            4203,
            Err(85_797),
        );
    }

    #[test]
    fn a_clock_that_lags_behind_counts_as_the_last_one() {
        let meter = sent(&[("1", 1000)])
            .spend(&POLICY, "1", &act(900))
            .expect("there is room");
        assert_eq!(meter.last_at.seconds(), 1000);
        assert_eq!(meter.countries["1"].minute, Slots::from([(100, 2)]));
        let refused = meter.spend(&POLICY, "1", &act(900));
        assert_eq!(refused, Err(Exhausted { retry_after: 70 }), "from the last one on");
    }

    #[test]
    fn what_does_not_count_any_more_is_forgotten() {
        let meter = sent(&[("1", 0), ("1", 3599), ("44", 90_000)]);
        assert_eq!(meter.countries.keys().collect::<Vec<_>>(), ["44"]);
        assert_eq!(meter.version, 3);
        let meter = sent(&[("1", 0), ("1", 3599), ("44", 89_999)]);
        assert_eq!(meter.countries["1"].day, Slots::from([(0, 2)]));
        assert_eq!(meter.countries["1"].minute, Slots::new());
    }

    #[test]
    fn what_is_given_back_counts_no_more() {
        let full = sent(&[("1", 5), ("1", 15)]);
        for (country, at, now, room) in [
            ("1", 15, 16, true),
            ("1", 5, 16, true),
            // Another country's, and one that was given back already.
            ("44", 15, 16, false),
            ("1", 25, 26, false),
        ] {
            let next = full.clone().give_back(country, &act(at), Timestamp::from_seconds(now));
            assert_eq!(next.version, full.version + 1);
            assert!(next.was_given_back_by(&act(at).by) && !next.was_spent_by(&act(at).by));
            let found = next.spend(&POLICY, "1", &act(20));
            assert_eq!(found.is_ok(), room, "{country} at {at}");
        }
        let empty = sent(&[("1", 5)]).give_back("1", &act(5), Timestamp::from_seconds(6));
        assert_eq!(empty.countries, BTreeMap::new());
    }

    /// Messages that come in bursts of all lengths, at clocks that lag a little: what was let through.
    fn let_through() -> Vec<(&'static str, u64)> {
        let mut through = Vec::new();
        let (mut meter, mut now, mut drawn) = (Meter::none(), 1_000_000, 1_u64);
        for _ in 0..20_000 {
            drawn = drawn
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let draw = drawn >> 33;
            now += [0, 0, 1, 7, 61, 900][usize::try_from(draw % 6).expect("six at most")];
            let country = if draw % 7 < 5 { "1" } else { "44" };
            let lagging = act(now - draw % 3);
            if let Ok(next) = meter.clone().spend(&POLICY, country, &lagging) {
                through.push((country, next.last_at.seconds()));
                meter = next;
            }
        }
        through
    }

    #[test]
    fn no_span_holds_more_than_is_allowed() {
        let all = let_through();
        assert!(all.len() > 100, "{} came through", all.len());
        let ones: Vec<_> = all.iter().filter(|(country, _)| *country == "1").copied().collect();
        for (messages, max, seconds) in [
            (&all, POLICY.per_minute, 60),
            (&all, POLICY.per_day, 86_400),
            (&ones, POLICY.country_per_minute, 60),
            (&ones, POLICY.country_per_day, 86_400),
        ] {
            let max = usize::try_from(max).expect("small");
            for span in messages.windows(max + 1) {
                let (first, last) = (span[0].1, span[max].1);
                assert!(last - first >= seconds, "{} within {seconds} s", span.len());
            }
        }
    }
}
