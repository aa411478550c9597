//! The only clock of a local cloud: real time, plus an offset that only grows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

/// The largest total offset: a hundred years keeps every date printable.
const FURTHEST: u64 = 100 * 366 * 24 * 3600;

const ISO: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const GATEWAY: &[FormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

/// Real time plus an offset in whole seconds. It shifts the time in events and that of the TTL sweep.
#[derive(Debug, Default)]
pub(crate) struct LocalClock {
    offset: AtomicU64,
}

impl LocalClock {
    /// A clock that is already `offset` seconds ahead, as restored from a data directory.
    pub(crate) fn ahead_by(offset: u64) -> Self {
        Self {
            offset: AtomicU64::new(offset.min(FURTHEST)),
        }
    }

    /// Seconds ahead of real time.
    pub(crate) fn offset(&self) -> u64 {
        self.offset.load(Ordering::SeqCst)
    }

    /// Moves the clock forward. Refuses a total offset above a hundred years.
    pub(crate) fn advance(&self, seconds: u64) -> Result<(), String> {
        self.offset
            .try_update(Ordering::SeqCst, Ordering::SeqCst, |offset| {
                offset.checked_add(seconds).filter(|sum| *sum <= FURTHEST)
            })
            .map(|_| ())
            .map_err(|_| "advance_seconds would move the clock more than a hundred years ahead".to_owned())
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn millis(&self) -> u64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(real.as_millis()).unwrap_or(u64::MAX).saturating_add(self.offset() * 1000)
    }

    /// Whole seconds since the Unix epoch.
    pub(crate) fn seconds(&self) -> u64 {
        self.millis() / 1000
    }

    /// Whole seconds since the Unix epoch by the system's clock, which has no offset.
    pub(crate) fn system_seconds(&self) -> u64 {
        self.seconds().saturating_sub(self.offset())
    }

    /// `2026-11-21T22:20:45Z`.
    pub(crate) fn iso(&self) -> String {
        print(self.seconds(), ISO)
    }

    /// `2026-11-21T22:20:45Z`, of any second since the Unix epoch.
    pub(crate) fn iso_of(seconds: u64) -> String {
        print(seconds, ISO)
    }

    /// `21/Nov/2026:22:20:45 +0000`, as API Gateway writes it.
    pub(crate) fn gateway_time(millis: u64) -> String {
        print(millis / 1000, GATEWAY)
    }
}

impl dynoxide::storage_backend::clock::Clock for LocalClock {
    /// The engine sweeps rows with a TTL before this. A row expires at its TTL, so this is one second ahead.
    fn now_unix_secs(&self) -> u64 {
        self.seconds() + 1
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the engine wants a float; milliseconds fit 53 bits for ages"
    )]
    fn now_unix_secs_f64(&self) -> f64 {
        self.millis() as f64 / 1000.0
    }
}

fn print(seconds: u64, format: &[FormatItem<'_>]) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|moment| moment.format(format).ok())
        .unwrap_or_else(|| format!("@{seconds}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_advances_and_rejects_too_large_a_step() {
        let clock = LocalClock::default();
        let before = clock.seconds();
        clock.advance(3600).expect("an hour is allowed");
        assert!(clock.seconds() >= before + 3600);
        assert!(clock.advance(u64::MAX).is_err());
        assert_eq!(clock.offset(), 3600);
    }

    #[test]
    fn a_timestamp_is_formatted_as_iso_and_as_gateway_time() {
        assert_eq!(print(1_583_348_638, ISO), "2020-03-04T19:03:58Z");
        assert_eq!(LocalClock::gateway_time(1_583_348_638_390), "04/Mar/2020:19:03:58 +0000");
    }
}
