//! Points in time, as events carry them.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A point in time: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// The last millisecond of the year 9999: what ISO 8601 can still write.
const LAST: u64 = 253_402_300_799_999;

impl Timestamp {
    /// From milliseconds since the Unix epoch, capped at the end of the year 9999.
    #[must_use]
    pub fn from_millis(millis: u64) -> Self {
        Self(millis.min(LAST))
    }

    /// From seconds since the Unix epoch.
    #[must_use]
    pub fn from_seconds(seconds: u64) -> Self {
        Self::from_millis(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The expiry of a lifetime of `seconds` that begins now. Deadlines are whole seconds, so that clients see exactly
    /// what is checked.
    #[must_use]
    pub fn deadline(self, seconds: u64) -> Self {
        Self::from_seconds(self.seconds().saturating_add(seconds))
    }

    /// Whether an expiry at `self` has passed: `now >= expires_at`.
    #[must_use]
    pub fn is_expired(self, now: Self) -> bool {
        now >= self
    }

    /// Parses RFC 3339, such as `2026-02-27T22:06:57.999Z`; `None` for anything else and for times before 1970.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let millis = at.unix_timestamp_nanos() / 1_000_000;
        u64::try_from(millis).ok().map(Self::from_millis)
    }

    /// ISO 8601, UTC, whole seconds: `2026-02-27T22:06:57Z`.
    #[must_use]
    pub fn iso(self) -> String {
        let seconds = i64::try_from(self.seconds()).expect("capped at the year 9999");
        OffsetDateTime::from_unix_timestamp(seconds)
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok())
            .expect("every time up to the year 9999 has an RFC 3339 form")
    }

    /// ISO 8601, UTC, with milliseconds: `2026-02-27T22:06:57.042Z`.
    #[must_use]
    pub fn iso_millis(self) -> String {
        format!("{}.{:03}Z", self.iso().trim_end_matches('Z'), self.0 % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_three_digits() {
        for (millis, iso) in [
            (1_772_230_017_999, "2026-02-27T22:06:57.999Z"),
            (1_772_230_017_007, "2026-02-27T22:06:57.007Z"),
            (1_772_230_017_000, "2026-02-27T22:06:57.000Z"),
        ] {
            assert_eq!(Timestamp::from_millis(millis).iso_millis(), iso);
        }
    }

    #[test]
    fn iso_has_whole_seconds_and_z() {
        for (millis, iso) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_772_230_017_999, "2026-02-27T22:06:57Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp::from_millis(millis).iso(), iso);
        }
    }

    #[test]
    fn event_times_are_parsed() {
        for (text, millis) in [
            ("2026-02-27T22:06:57.999Z", Some(1_772_230_017_999)),
            ("2026-02-27T23:06:57+01:00", Some(1_772_230_017_000)),
            ("1969-12-31T23:59:59Z", None),
            ("2026-02-27", None),
            ("", None),
        ] {
            assert_eq!(Timestamp::parse(text).map(Timestamp::millis), millis, "{text}");
        }
    }

    #[test]
    fn a_lifetime_expires_at_its_deadline() {
        let now = Timestamp::from_millis(10_900);
        let end = now.deadline(5);
        assert_eq!(end.millis(), 15_000, "deadlines are whole seconds");
        for (at, over) in [(14_999, false), (15_000, true), (15_001, true)] {
            assert_eq!(end.is_expired(Timestamp::from_millis(at)), over, "{at}");
        }
    }
}
