//! Lists of attempts: which an application wants to see, and in which order they are read.

use super::{
    attempt::{Attempt, RETENTION, first_sid},
    destination::{Channel, Destination},
    sid::{AttemptSid, ServiceSid, VerificationSid},
};
use crate::domain::time::Timestamp;

/// Which attempts are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Made at this moment or later.
    pub after: Option<Timestamp>,
    /// Made at this moment or before.
    pub before: Option<Timestamp>,
    /// Of this service.
    pub service: Option<ServiceSid>,
    /// Of this verification.
    pub verification: Option<VerificationSid>,
    /// By this channel.
    pub channel: Option<Channel>,
    /// To this destination.
    pub to: Option<Destination>,
    /// To a country with this prefix, or to a number that begins with it.
    pub prefix: Option<String>,
    /// Whose code was used, or was not.
    pub is_converted: Option<bool>,
}

impl Filter {
    /// The SIDs between which the wanted attempts lie: those that are stored, up to now. `end` is the last one of an
    /// earlier page.
    #[must_use]
    pub fn range(&self, now: Timestamp, end: Option<AttemptSid>) -> (AttemptSid, AttemptSid) {
        let oldest = Timestamp::from_seconds(now.seconds().saturating_sub(RETENTION));
        let from = self.after.map_or(oldest, |after| after.max(oldest));
        let before = self.before.map_or(now, |before| before.min(now));
        // The moment itself is included.
        let to = first_sid(Timestamp::from_millis(before.millis().saturating_add(1)));
        let to = end.map_or(to, |end| end.min(to));
        (first_sid(from), to)
    }

    /// Whether an attempt is wanted; its destination is `to`, if it can be decrypted.
    #[must_use]
    pub fn wants(&self, attempt: &Attempt, to: Option<&Destination>) -> bool {
        let is = |wanted: Option<bool>| wanted.unwrap_or(true);
        let number = match to {
            Some(Destination::Phone(phone)) => &phone.as_str()[1..],
            Some(Destination::Email(_)) | None => "",
        };
        is(self.service.map(|service| service == attempt.service))
            && is(self.verification.map(|verification| verification == attempt.verification))
            && is(self.channel.map(|channel| channel == attempt.channel))
            && is(self.is_converted.map(|wanted| wanted == attempt.converted_at.is_some()))
            && is(self.to.as_ref().map(|wanted| to.is_some_and(|to| to.is_same(wanted))))
            && is(self.prefix.as_ref().map(|prefix| !number.is_empty() && number.starts_with(prefix.as_str())))
    }
}

/// How many attempts were made, and how many of their codes were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Attempts.
    pub total: u64,
    /// Those whose code was used.
    pub converted: u64,
}

impl Summary {
    /// With one more attempt.
    #[must_use]
    pub fn with(self, attempt: &Attempt) -> Self {
        Self {
            total: self.total + 1,
            converted: self.converted + u64::from(attempt.converted_at.is_some()),
        }
    }

    /// The share of the converted ones, in percent with nine decimals; zero of nothing.
    #[must_use]
    pub fn percentage(self) -> String {
        let billionths = match u128::from(self.total) {
            0 => 0,
            total => u128::from(self.converted) * 100_000_000_000 / total,
        };
        format!("{}.{:09}", billionths / 1_000_000_000, billionths % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        crypto::encryption::Encrypted,
        verification::{attempt, sid::AccountSid},
    };

    fn made(seconds: u64) -> Attempt {
        Attempt {
            sid: first_sid(Timestamp::from_seconds(seconds)),
            account: AccountSid::from_bytes([1; 16]),
            service: ServiceSid::from_bytes([2; 16]),
            verification: VerificationSid::from_bytes([3; 16]),
            channel: Channel::Sms,
            to: Encrypted {
                key: 1,
                nonce: [0; 12],
                bytes: Vec::new(),
            },
            country: Some("1".into()),
            is_sent: true,
            converted_at: None,
        }
    }

    #[test]
    fn the_moments_of_a_filter_are_included() {
        let at = Timestamp::from_seconds;
        let now = at(10_000_000);
        let filter = Filter {
            after: Some(at(9_999_000)),
            before: Some(at(9_999_500)),
            ..Filter::default()
        };
        let (from, to) = filter.range(now, None);
        for (second, included) in [
            (9_998_999, false),
            (9_999_000, true),
            (9_999_500, true),
            (9_999_501, false),
        ] {
            let sid = made(second).sid;
            assert_eq!(from <= sid && sid < to, included, "{second}");
        }
        let (from, to) = Filter::default().range(now, Some(made(9_999_999).sid));
        assert_eq!(attempt::made_at(&from), at(10_000_000 - RETENTION));
        assert_eq!(to, made(9_999_999).sid);
    }

    #[test]
    fn every_condition_of_a_filter_must_hold() {
        let (attempt, to) = (made(1), Destination::parse("+15017122661").expect("a number"));
        let all = || Filter {
            service: Some(attempt.service),
            verification: Some(attempt.verification),
            channel: Some(Channel::Sms),
            to: Some(to.clone()),
            prefix: Some("1501".into()),
            is_converted: Some(false),
            ..Filter::default()
        };
        assert!(all().wants(&attempt, Some(&to)) && Filter::default().wants(&attempt, None));
        let others = [
            Filter {
                service: Some(ServiceSid::from_bytes([9; 16])),
                ..all()
            },
            Filter {
                verification: Some(VerificationSid::from_bytes([9; 16])),
                ..all()
            },
            Filter {
                channel: Some(Channel::Email),
                ..all()
            },
            Filter {
                to: Destination::parse("+15017122662"),
                ..all()
            },
            Filter {
                prefix: Some("44".into()),
                ..all()
            },
            Filter {
                is_converted: Some(true),
                ..all()
            },
        ];
        for other in others {
            assert!(!other.wants(&attempt, Some(&to)), "{other:?}");
        }
        assert!(!all().wants(&attempt, None), "a destination that cannot be decrypted");
    }

    #[test]
    fn the_percentage_has_nine_decimals() {
        for (total, converted, expected) in [
            (0, 0, "0.000000000"),
            (16, 13, "81.250000000"),
            (3, 1, "33.333333333"),
            (7, 7, "100.000000000"),
        ] {
            assert_eq!(Summary { total, converted }.percentage(), expected);
        }
    }
}
