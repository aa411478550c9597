//! The rate limits that an application defines, as a start counts in them: a number of starts in an interval, for each
//! value that the application names. An interval begins with its first start.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{
    service::{Bucket, UniqueName},
    sid::{BucketSid, ServiceSid},
};
use crate::domain::{
    crypto::{
        key::{DestinationNames, Keyring},
        secret::framed,
    },
    limits::rate_limit::RateLimited,
    time::Timestamp,
};

/// The intervals of one value of a rate limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// [`subject`] of the value.
    pub subject: [u8; 32],
    /// The version for optimistic locking. 0: nothing is stored yet.
    pub version: u64,
    /// The current interval of each bucket.
    pub windows: Vec<Window>,
    /// When the TTL sweep may delete the row: when every interval is over.
    pub forget_at: Timestamp,
}

/// The current interval of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The bucket.
    pub bucket: BucketSid,
    /// When the interval began.
    pub began_at: Timestamp,
    /// The starts in it.
    pub count: u64,
}

/// The key of the row of one value: a keyed digest, since the value may name a person.
#[must_use]
pub fn subject(keys: &Keyring<DestinationNames>, service: &ServiceSid, name: &UniqueName, value: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(keys.oldest().bytes()).expect("HMAC takes a key of any length");
    mac.update(&framed(&[service.bytes(), name.as_str().as_bytes(), value.as_bytes()]));
    mac.finalize().into_bytes().into()
}

impl Windows {
    /// A value without starts.
    #[must_use]
    pub fn none(subject: [u8; 32]) -> Self {
        Self {
            subject,
            version: 0,
            windows: Vec::new(),
            forget_at: Timestamp::from_seconds(0),
        }
    }

    /// Counts one start in each bucket. Buckets that no longer exist are forgotten.
    ///
    /// # Errors
    /// [`RateLimited`] when a bucket is full: then the start counts in none.
    pub fn count(&self, buckets: &[Bucket], now: Timestamp) -> Result<Self, RateLimited> {
        let mut retry_after = 0;
        let mut windows = Vec::with_capacity(buckets.len());
        for bucket in buckets {
            let found = self.windows.iter().find(|window| window.bucket == bucket.sid);
            let current = found.filter(|window| !window.began_at.deadline(bucket.interval).is_expired(now));
            let mut window = current.copied().unwrap_or(Window {
                bucket: bucket.sid,
                began_at: now,
                count: 0,
            });
            if window.count >= bucket.max {
                retry_after = retry_after.max(window.began_at.deadline(bucket.interval).seconds() - now.seconds());
            }
            window.count += 1;
            windows.push(window);
        }
        if retry_after > 0 {
            return Err(RateLimited { retry_after });
        }
        let longest = buckets.iter().map(|bucket| bucket.interval).max().unwrap_or_default();
        Ok(Self {
            subject: self.subject,
            version: self.version + 1,
            windows,
            forget_at: self.forget_at.max(now.deadline(longest)),
        })
    }

    /// Without one start that was counted at `at`, in the intervals that it counts in.
    #[must_use]
    pub fn give_back(mut self, at: Timestamp) -> Self {
        for window in self.windows.iter_mut().filter(|window| window.began_at <= at) {
            window.count = window.count.saturating_sub(1);
        }
        Self {
            version: self.version + 1,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::crypto::key::tests::ring;

    fn bucket(sid: u8, max: u64, interval: u64) -> Bucket {
        let at = Timestamp::from_seconds(0);
        Bucket {
            sid: BucketSid::from_bytes([sid; 16]),
            max,
            interval,
            created_at: at,
            updated_at: at,
        }
    }

    #[test]
    fn every_bucket_is_enforced_until_its_interval_is_over() {
        let buckets = [bucket(1, 2, 10), bucket(2, 3, 100)];
        let mut windows = Windows::none([0; 32]);
        for (now, expected) in [
            (5, Ok(())),
            (6, Ok(())),
            (6, Err(9)),
            (14, Err(1)),
            (15, Ok(())),
            (16, Err(89)),
            (104, Err(1)),
            (105, Ok(())),
            (105, Ok(())),
            (105, Err(10)),
        ] {
            let counted = windows.count(&buckets, Timestamp::from_seconds(now));
            assert_eq!(counted.as_ref().map(|_| ()).map_err(|limited| limited.retry_after), expected, "at {now}");
            windows = counted.unwrap_or(windows);
        }
        assert_eq!(windows.forget_at, Timestamp::from_seconds(205));
    }

    #[test]
    fn a_start_that_is_given_back_counts_no_longer() {
        let (buckets, at) = ([bucket(1, 1, 10)], Timestamp::from_seconds);
        let full = Windows::none([0; 32]).count(&buckets, at(5)).expect("room");
        let next = full.clone().give_back(at(5));
        assert_eq!((next.version, next.windows[0].count), (2, 0));
        assert!(next.count(&buckets, at(6)).is_ok());
        // A later interval does not contain it.
        let later = full.count(&buckets, at(15)).expect("another interval").give_back(at(5));
        assert_eq!(later.windows[0].count, 1);
    }

    #[test]
    fn a_deleted_bucket_is_forgotten_and_a_new_one_begins_anew() {
        let now = Timestamp::from_seconds(5);
        let windows = Windows::none([0; 32]).count(&[bucket(1, 1, 10)], now).expect("room");
        let windows = windows.count(&[bucket(2, 1, 10)], now).expect("room");
        assert_eq!(windows.windows.len(), 1);
        assert!(windows.count(&[bucket(1, 1, 10)], now).is_ok());
        assert!(windows.count(&[], now).expect("no bucket limits nothing").windows.is_empty());
    }

    #[test]
    fn each_value_of_a_name_counts_by_itself() {
        let service = |byte| ServiceSid::from_bytes([byte; 16]);
        let name = |text| UniqueName::parse(text).expect("a good name");
        let keys = ring(&[1]);
        let all: std::collections::HashSet<_> = [
            subject(&keys, &service(1), &name("ip"), "a"),
            subject(&keys, &service(2), &name("ip"), "a"),
            subject(&keys, &service(1), &name("ipa"), ""),
            subject(&keys, &service(1), &name("ip"), "b"),
        ]
        .into();
        assert_eq!(all.len(), 4);
    }
}
