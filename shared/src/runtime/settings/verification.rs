//! The operator's policies of verifications.

use super::numbers::{
    ATTEMPT_SHARDS, MAILS_PER_HOUR, SMS_PER_NUMBER_PER_DAY, SMS_PER_NUMBER_PER_HOUR, VERIFY_GUESSES_PER_30_DAYS,
    VERIFY_GUESSES_PER_DAY, VERIFY_LIFETIME, VERIFY_MAILS_PER_DAY, VERIFY_MAILS_PER_HOUR,
};

use crate::{
    domain::{
        limits::{
            bucket::Bucket,
            quota,
            rate_limit::{RateLimit, Window},
            unverified,
        },
        people::phone::Countries,
        verification::policy::VerificationPolicy,
    },
    runtime::edge::{Edge, Refused},
};

const DAY: u64 = 86_400;

/// Messages of one service to one destination: five in ten minutes, as the contract demands.
const SENDS: Window = Window { max: 5, seconds: 600 };

/// Wrong codes for one verification.
const MAX_ATTEMPTS: u64 = 5;

/// The policy of sending codes of verifications.
#[derive(Debug)]
pub struct VerificationSending {
    /// Countries that text messages may be sent to.
    pub countries: Countries,
    /// Quota of text messages of the whole deployment.
    pub quota: quota::Policy,
    /// The budget of unverified text messages of a country.
    pub unverified: unverified::Policy,
    /// Rate limit of text messages to one number, which all families share. Applications may name any number: half of the
    /// hour and of the day is kept for the logins of its owner (R70).
    pub number: RateLimit,
    /// Rate limit of mails to one mailbox.
    pub mailbox: RateLimit,
    /// Rate limit of the deployment's mails with codes.
    pub mails: Bucket,
    /// Parts of an account's list of attempts.
    pub attempt_shards: u8,
}

impl Edge {
    /// The policy of verifications.
    ///
    /// # Errors
    /// [`Refused`] after every problem was recorded; likewise below.
    pub fn verification_policy(&self) -> Result<VerificationPolicy, Refused> {
        let lifetime = self.number(&VERIFY_LIFETIME);
        let per_day = self.number(&VERIFY_GUESSES_PER_DAY);
        let per_month = self.number(&VERIFY_GUESSES_PER_30_DAYS);
        let window = |max, seconds| Window { max, seconds };
        Ok(VerificationPolicy {
            lifetime: lifetime?,
            sends: RateLimit::new(vec![SENDS]),
            max_attempts: MAX_ATTEMPTS,
            guesses: RateLimit::new(vec![window(per_day?, DAY), window(per_month?, 30 * DAY)]),
        })
    }

    /// The policy of sending codes of verifications.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verification_sending(&self) -> Result<VerificationSending, Refused> {
        let per_hour = self.number(&VERIFY_MAILS_PER_HOUR);
        let per_day = self.number(&VERIFY_MAILS_PER_DAY);
        let mails = self.number(&MAILS_PER_HOUR);
        let attempt_shards = self.attempt_shards();
        let (countries, quota, unverified) = (self.sms_countries(), self.sms_policy(), self.unverified_policy());
        let number_per_hour = self.number(&SMS_PER_NUMBER_PER_HOUR);
        let number_per_day = self.number(&SMS_PER_NUMBER_PER_DAY);
        let window = |max, seconds| Window { max, seconds };
        let mails = mails?;
        Ok(VerificationSending {
            countries: countries?,
            quota: quota?,
            unverified: unverified?,
            number: RateLimit::new(vec![
                SENDS,
                window(number_per_hour?.div_ceil(2), 3600),
                window(number_per_day?.div_ceil(2), DAY),
            ]),
            mailbox: RateLimit::new(vec![window(per_hour?, 3600), window(per_day?, DAY)]),
            mails: Bucket::new(mails, mails),
            attempt_shards: attempt_shards?,
        })
    }

    /// Parts of an account's list of attempts.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn attempt_shards(&self) -> Result<u8, Refused> {
        self.number(&ATTEMPT_SHARDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_match_the_contract() {
        let edge = Edge::new([].into());
        let policy = edge.verification_policy().expect("defaults");
        let window = |max, seconds| Window { max, seconds };
        assert_eq!((policy.lifetime, policy.max_attempts), (600, 5));
        assert_eq!(policy.sends, RateLimit::new(vec![window(5, 600)]));
        assert_eq!(policy.guesses, RateLimit::new(vec![window(20, DAY), window(60, 30 * DAY)]));
        assert!(edge.verification_sending().is_ok() && edge.problems().is_empty());
    }

    #[test]
    fn a_code_lives_ten_minutes_at_most() {
        for (name, good, bad) in [
            ("VERIFY_LIFETIME", "600", "601"),
            ("VERIFY_GUESSES_PER_DAY", "20", "21"),
            ("VERIFY_GUESSES_PER_30_DAYS", "60", "61"),
        ] {
            for (value, is_good) in [(good, true), (bad, false)] {
                let edge = Edge::new([(name.to_owned(), value.to_owned())].into());
                assert_eq!(edge.verification_policy().is_ok(), is_good, "{name}={value}");
            }
        }
    }
}
