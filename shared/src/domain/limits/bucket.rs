//! Token buckets: a rate limit with a burst and an hourly refill. A bucket of any size is one number, the moment at
//! which it is full again; so a hit is one atomic addition, and concurrent requests do not block each other.

use super::rate_limit::RateLimited;
use crate::domain::time::Timestamp;

/// The capacity of a bucket, and its refill rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    capacity: u64,
    per_hour: u64,
    /// Milliseconds until one token is refilled.
    refill: u64,
}

const HOUR: u64 = 3_600_000;

impl Bucket {
    /// A bucket of that capacity and that refill per hour.
    ///
    /// # Panics
    /// When one of them is 0, or the refill exceeds one token per millisecond; settings are checked when they are read.
    #[must_use]
    pub fn new(capacity: u64, per_hour: u64) -> Self {
        assert!(capacity > 0 && (1..=HOUR).contains(&per_hour), "a bucket that gives something");
        Self {
            capacity,
            per_hour,
            refill: HOUR.div_ceil(per_hour),
        }
    }

    /// Tokens refilled per hour.
    #[must_use]
    pub fn per_hour(&self) -> u64 {
        self.per_hour
    }

    /// By how many milliseconds that number of tokens delays the moment at which the bucket is full again.
    #[must_use]
    pub fn weight(&self, tokens: u64) -> u64 {
        self.refill.saturating_mul(tokens)
    }

    /// A token is available while the bucket is full again no later than this.
    #[must_use]
    pub fn most(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.millis() + self.weight(self.capacity - 1))
    }

    /// Whether a bucket that is full again at `full_at` holds less than one hour's refill.
    #[must_use]
    pub fn is_low(&self, full_at: Timestamp, now: Timestamp) -> bool {
        let missing = full_at.millis().saturating_sub(now.millis());
        missing + HOUR > self.weight(self.capacity)
    }

    /// Takes a token from a bucket that is full again at `full_at`, and returns the new `full_at`.
    ///
    /// # Errors
    /// [`RateLimited`] when the bucket is empty; a retry after exactly that many seconds finds a token.
    pub fn take(&self, full_at: Timestamp, now: Timestamp) -> Result<Timestamp, RateLimited> {
        let wait = full_at.millis().saturating_sub(self.most(now).millis());
        match wait {
            0 => Ok(Timestamp::from_millis(full_at.max(now).millis() + self.weight(1))),
            wait => Err(RateLimited {
                retry_after: wait.div_ceil(1000),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A burst of three, and a refill of one in ten seconds.
    const THREE: Bucket = Bucket {
        capacity: 3,
        per_hour: 360,
        refill: 10_000,
    };

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_bucket_allows_its_burst_and_then_its_refill() {
        assert_eq!((Bucket::new(3, 360), THREE.per_hour()), (THREE, 360));
        let mut full_at = at(0);
        for (now, expected) in [
            (1_000_000, Ok(1_010_000)),
            (1_000_000, Ok(1_020_000)),
            (1_000_001, Ok(1_030_000)),
            (1_000_001, Err(10)),
            (1_009_001, Err(1)),
            (1_009_999, Err(1)),
            (1_010_000, Ok(1_040_000)),
            (1_010_000, Err(10)),
            // With a clock that lags behind, the wait is longer by the lag.
            (1_009_000, Err(11)),
            (1_040_000, Ok(1_050_000)),
        ] {
            let found = THREE.take(full_at, at(now));
            let wanted = expected.map(at).map_err(|retry_after| RateLimited { retry_after });
            assert_eq!(found, wanted, "{now}");
            if let Ok(next) = found {
                full_at = next;
            }
        }
    }

    #[test]
    fn a_request_after_retry_after_is_allowed() {
        let full_at = at(1_030_000);
        for now in 1_000_000..1_010_000 {
            let Err(RateLimited { retry_after }) = THREE.take(full_at, at(now)) else {
                panic!("there is none at {now}");
            };
            assert!(THREE.take(full_at, at(now + retry_after * 1000)).is_ok(), "{now}");
        }
    }

    #[test]
    fn a_bucket_is_low_if_less_than_an_hours_refill_is_left() {
        let bucket = Bucket::new(180, 60);
        for (taken, is_low) in [(0, false), (120, false), (121, true), (180, true)] {
            let full_at = at(1_000_000 + bucket.weight(taken));
            assert_eq!(bucket.is_low(full_at, at(1_000_000)), is_low, "{taken}");
        }
        assert!(!bucket.is_low(at(0), at(1_000_000)));
    }

    #[test]
    fn no_hour_refills_more_than_configured() {
        for per_hour in [1, 7, 60, 600, 99_999, HOUR] {
            let bucket = Bucket::new(1, per_hour);
            assert!(bucket.weight(per_hour) >= HOUR, "{per_hour}");
        }
    }
}
