//! The operator's policies of logins: tokens, codes, lockout.

use super::numbers::{
    ACCESS_TOKEN_LIFETIME, BLOCK_SECONDS, FAILED_LOGINS_PER_SOURCE_PER_HOUR, OTP_GUESSES_PER_30_DAYS,
    OTP_GUESSES_PER_DAY, OTP_LENGTH, OTP_LIFETIME, OTP_MAX_ATTEMPTS, OTP_SEND_COUNTER_MAX, OTP_SEND_TIMEOUT,
    OTP_SENDS_FIRST_DAY, OTP_SENDS_PER_DAY, OTP_SENDS_PER_HOUR, SECOND_FACTOR_TOKEN_LIFETIME, USER_LOGIN_ERROR_MAX,
    USER_OTP_ERROR_MAX,
};

use crate::{
    delivery::code::Templates,
    domain::{
        lockout, otp,
        phone::Countries,
        quota,
        rate_limit::{RateLimit, Window},
    },
    runtime::edge::{Edge, Refused},
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

/// What is decided about codes that are sent.
#[derive(Debug)]
pub struct SendingPolicy {
    /// Codes.
    pub otp: otp::Policy,
    /// Where messages may go.
    pub countries: Countries,
    /// Messages of the deployment.
    pub meter: quota::Policy,
    /// Messages to one number, whoever asks.
    pub number: RateLimit,
    /// Their words.
    pub templates: Templates,
}

impl Edge {
    /// For how long tokens are good.
    ///
    /// # Errors
    /// [`Refused`] after every problem was noted; likewise below.
    pub fn token_lifetimes(&self) -> Result<Lifetimes, Refused> {
        let access = self.number(&ACCESS_TOKEN_LIFETIME);
        let login = self.number(&SECOND_FACTOR_TOKEN_LIFETIME);
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
        let passwords = self.number(&USER_LOGIN_ERROR_MAX);
        let otps = self.number(&USER_OTP_ERROR_MAX);
        let seconds = self.number(&BLOCK_SECONDS);
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
    pub fn failed_logins(&self) -> Result<RateLimit, Refused> {
        let max = self.number(&FAILED_LOGINS_PER_SOURCE_PER_HOUR);
        Ok(RateLimit::new(vec![Window {
            max: max?,
            seconds: 3600,
        }]))
    }

    /// What is decided about codes.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn otp_policy(&self) -> Result<otp::Policy, Refused> {
        let length = self.number(&OTP_LENGTH);
        let lifetime = self.number(&OTP_LIFETIME);
        let max_attempts = self.number(&OTP_MAX_ATTEMPTS);
        let first = self.otp_sends();
        let per_hour = self.number(&OTP_SENDS_PER_HOUR);
        let per_day = self.number(&OTP_SENDS_PER_DAY);
        let first_day = self.number(&OTP_SENDS_FIRST_DAY);
        let guesses_per_day = self.number(&OTP_GUESSES_PER_DAY);
        let guesses_per_month = self.number(&OTP_GUESSES_PER_30_DAYS);
        let window = |max, seconds| Window { max, seconds };
        Ok(otp::Policy {
            length: length?,
            lifetime: lifetime?,
            max_attempts: max_attempts?,
            sends: RateLimit::new(vec![first?, window(per_hour?, 3600), window(per_day?, DAY)]),
            first_day_sends: first_day?,
            guesses: RateLimit::new(vec![
                window(guesses_per_day?, DAY),
                window(guesses_per_month?, 30 * DAY),
            ]),
        })
    }

    /// What is decided about codes that are sent.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn sending_policy(&self) -> Result<SendingPolicy, Refused> {
        let otp = self.otp_policy();
        let first = self.otp_sends();
        let (countries, meter, templates) = (self.sms_countries(), self.sms_policy(), self.sms_templates());
        Ok(SendingPolicy {
            otp: otp?,
            countries: countries?,
            meter: meter?,
            number: self.sms_per_number(first?)?,
            templates: templates?,
        })
    }

    /// The contract's own limit of sending.
    fn otp_sends(&self) -> Result<Window, Refused> {
        let max = self.number(&OTP_SEND_COUNTER_MAX);
        let seconds = self.number(&OTP_SEND_TIMEOUT);
        Ok(Window {
            max: max?,
            seconds: seconds?,
        })
    }
}
