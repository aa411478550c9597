//! The operator's policies of logins: tokens, codes, lockout.

use crate::{
    domain::{
        budget::{Budget, Window},
        lockout, otp,
    },
    edge::{Edge, Refused},
    sending,
};

const DAY: u64 = 86_400;

/// For how long tokens are good, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Access tokens.
    pub access: u64,
    /// A login, from the password to the code: however often its token is renewed.
    pub login: u64,
}

impl Edge {
    /// For how long tokens are good.
    ///
    /// # Errors
    /// [`Refused`] after every problem was noted; likewise below.
    pub fn token_lifetimes(&self) -> Result<Lifetimes, Refused> {
        let access = self.setting("ACCESS_TOKEN_LIFETIME", 30 * DAY, 300..=366 * DAY);
        let login = self.setting("SECOND_FACTOR_TOKEN_LIFETIME", 600, 60..=600);
        Ok(Lifetimes {
            access: access?,
            login: login?,
        })
    }

    /// What is decided about failed attempts.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn lockout_policy(&self) -> Result<lockout::Policy, Refused> {
        let passwords = self.setting("USER_LOGIN_ERROR_MAX", 3, 1..=50);
        let otps = self.setting("USER_OTP_ERROR_MAX", 3, 1..=50);
        let seconds = self.setting("BLOCK_SECONDS", 0, 0..=30 * DAY);
        Ok(lockout::Policy {
            passwords: passwords?,
            otps: otps?,
            seconds: Some(seconds?).filter(|seconds| *seconds > 0),
        })
    }

    /// How many logins may fail from one network.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn failed_logins(&self) -> Result<Budget, Refused> {
        let max = self.setting("FAILED_LOGINS_PER_SOURCE_PER_HOUR", 100, 1..=300);
        Ok(Budget::new(vec![Window {
            max: max?,
            seconds: 3600,
        }]))
    }

    /// What is decided about codes.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn otp_policy(&self) -> Result<otp::Policy, Refused> {
        let length = self.setting("OTP_LENGTH", 6, 6..=8);
        let lifetime = self.setting("OTP_LIFETIME", 300, 30..=600);
        let max_attempts = self.setting("OTP_MAX_ATTEMPTS", 3, 1..=10);
        let first = self.otp_sends();
        let per_hour = self.setting("OTP_SENDS_PER_HOUR", 10, 1..=10);
        let per_day = self.setting("OTP_SENDS_PER_DAY", 20, 1..=20);
        let first_day = self.setting("OTP_SENDS_FIRST_DAY", 3, 1..=20);
        let guesses_per_day = self.setting("OTP_GUESSES_PER_DAY", 10, 1..=10);
        let guesses_per_month = self.setting("OTP_GUESSES_PER_30_DAYS", 30, 1..=30);
        let window = |max, seconds| Window { max, seconds };
        Ok(otp::Policy {
            length: length?,
            lifetime: lifetime?,
            max_attempts: max_attempts?,
            sends: Budget::new(vec![first?, window(per_hour?, 3600), window(per_day?, DAY)]),
            first_day_sends: first_day?,
            guesses: Budget::new(vec![
                window(guesses_per_day?, DAY),
                window(guesses_per_month?, 30 * DAY),
            ]),
        })
    }

    /// What is decided about codes that are sent.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn sending_policy(&self) -> Result<sending::Policy, Refused> {
        let otp = self.otp_policy();
        let first = self.otp_sends();
        let (countries, meter, templates) = (self.sms_countries(), self.sms_policy(), self.sms_templates());
        Ok(sending::Policy {
            otp: otp?,
            countries: countries?,
            meter: meter?,
            number: self.sms_per_number(first?)?,
            templates: templates?,
        })
    }

    /// The contract's own limit of sending.
    fn otp_sends(&self) -> Result<Window, Refused> {
        let max = self.setting("OTP_SEND_COUNTER_MAX", 3, 1..=10);
        let seconds = self.setting("OTP_SEND_TIMEOUT", 60, 1..=3600);
        Ok(Window {
            max: max?,
            seconds: seconds?,
        })
    }
}
