//! Rate limits over rolling windows: at most `max` hits in `seconds`, exactly, in every span of that length.

use crate::domain::time::Timestamp;

/// At most `max` hits in any `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The maximum number of hits.
    pub max: usize,
    /// The length of the window.
    pub seconds: u64,
}

/// A rate limit of several windows, all of which must have room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit(Vec<Window>);

/// One request that counts towards a rate limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// When it happened.
    pub at: Timestamp,
    /// The invocation that made it: its own retry after a lost response does not count twice.
    pub by: String,
}

/// The rate limit is exceeded; retry after that many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimited {
    /// For `Retry-After`: exactly this many seconds from now there is room.
    pub retry_after: u64,
}

impl RateLimit {
    /// A rate limit of these windows.
    ///
    /// # Panics
    /// Without a window, or with one that allows no hits or has no length; settings are checked when they are read.
    #[must_use]
    pub fn new(windows: Vec<Window>) -> Self {
        assert!(!windows.is_empty() && windows.iter().all(|w| w.max > 0 && w.seconds > 0), "a window that allows");
        Self(windows)
    }

    /// The same windows with half the limit, rounded up, so that the other half stays reserved. Both count against one
    /// list of hits.
    #[must_use]
    pub fn half(&self) -> Self {
        let half = |window: &Window| Window {
            max: window.max.div_ceil(2),
            ..*window
        };
        Self(self.0.iter().map(half).collect())
    }

    /// The number of hits below which there is always room, whatever their times: the smallest window's limit.
    #[must_use]
    pub fn always(&self) -> usize {
        self.0.iter().map(|window| window.max).min().expect("a rate limit has a window")
    }

    /// The pause in seconds and the number of hits below which there is also room: if the last hit is that long ago,
    /// the windows that fill up first are empty, and no other one can be full.
    #[must_use]
    pub fn after_a_pause(&self) -> (u64, usize) {
        let first = self.always();
        let seconds = self.0.iter().filter(|window| window.max == first).map(|window| window.seconds);
        let others = self.0.iter().filter(|window| window.max > first).map(|window| window.max);
        // Without another window, hits that no longer count may accumulate for a while.
        (seconds.max().unwrap_or_default(), others.min().unwrap_or(first + 8))
    }

    /// The largest number of hits that can be live at once: the largest window's limit.
    #[must_use]
    pub fn most(&self) -> usize {
        self.0.iter().map(|window| window.max).max().expect("a rate limit has a window")
    }

    /// For how many seconds a hit is stored.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.0.iter().map(|window| window.seconds).max().expect("a rate limit has a window")
    }

    /// Counts one hit. `spent` are the hits so far, oldest first; the result is the list to store instead.
    ///
    /// Concurrent requests carry times in another order than their writes. Time does not run backwards here: a hit
    /// counts as no earlier than those before it, so that no wait is longer than its window.
    ///
    /// # Errors
    /// [`RateLimited`] when a window is full; a refused hit is not stored, so that it does not extend the wait.
    pub fn spend(&self, spent: &[Hit], act: &Hit) -> Result<Vec<Hit>, RateLimited> {
        let now = spent.iter().map(|act| act.at).fold(act.at, Timestamp::max);
        let mut retry_after = 0;
        for window in &self.0 {
            // The hit that must leave the window before another one fits.
            let Some(first) = spent.len().checked_sub(window.max).map(|index| &spent[index]) else {
                continue;
            };
            let free = first.at.deadline(window.seconds);
            if !free.is_expired(now) {
                retry_after = retry_after.max(free.seconds() - now.seconds());
            }
        }
        if retry_after > 0 {
            return Err(RateLimited { retry_after });
        }
        let live = spent.iter().filter(|act| !act.at.deadline(self.memory()).is_expired(now));
        let act = Hit { at: now, ..act.clone() };
        Ok(live.cloned().chain([act]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spent: &[u64], now: u64, expected: Result<&[u64], u64>) {
        let limit = RateLimit::new(vec![Window { max: 2, seconds: 10 }, Window { max: 3, seconds: 100 }]);
        let act = |seconds: &u64| Hit {
            at: Timestamp::from_seconds(*seconds),
            by: "invocation".into(),
        };
        let spent: Vec<_> = spent.iter().map(act).collect();
        let found = limit.spend(&spent, &act(&now));
        let found = found.map(|list| list.into_iter().map(|act| act.at.seconds()).collect::<Vec<_>>());
        assert_eq!(found, expected.map(<[u64]>::to_vec).map_err(|retry_after| RateLimited { retry_after }));
    }

    #[test]
    fn every_window_is_enforced() {
        check(&[], 5, Ok(&[5]));
        check(&[5], 6, Ok(&[5, 6]));
        check(&[5, 6], 7, Err(8));
        check(&[5, 6], 14, Err(1));
        check(&[5, 6], 15, Ok(&[5, 6, 15]));
        check(&[5, 6, 15], 40, Err(65));
        check(&[5, 6, 15], 104, Err(1));
        check(&[5, 6, 15], 105, Ok(&[6, 15, 105]));
    }

    #[test]
    fn a_lagging_clock_waits_no_longer_than_the_window() {
        check(&[5, 6], 4, Err(9));
        check(&[5], 4, Ok(&[5, 5]));
    }

    #[test]
    fn a_pause_empties_the_smallest_windows() {
        let check = |windows: &[(usize, u64)], expected| {
            let windows = windows.iter().map(|(max, seconds)| Window {
                max: *max,
                seconds: *seconds,
            });
            assert_eq!(RateLimit::new(windows.collect()).after_a_pause(), expected);
        };
        check(&[(1, 120), (6, 86_400)], (120, 6));
        check(&[(6, 86_400), (1, 120), (1, 60), (20, 90_000)], (120, 6));
        check(&[(1, 120)], (120, 9));
    }

    #[test]
    fn half_of_a_rate_limit_is_rounded_up() {
        let windows = |max: [usize; 3]| {
            let window = |(max, seconds)| Window { max, seconds };
            RateLimit::new(max.into_iter().zip([60, 3600, 86_400]).map(window).collect())
        };
        let (whole, half) = (windows([3, 10, 7]), windows([2, 5, 4]));
        assert_eq!(whole.half(), half);
        assert_eq!((whole.always(), whole.most(), whole.memory()), (3, 10, 86_400));
    }

    #[test]
    fn hits_outside_all_windows_are_dropped() {
        check(&[5, 6, 15], 1000, Ok(&[1000]));
    }
}
