//! The operator's policies of logins: tokens, codes, lockout.

use super::numbers::{
    ACCESS_TOKEN_LIFETIME, BLOCK_SECONDS, FAILED_LOGINS_PER_SOURCE_PER_HOUR, KNOWN_DEVICE_LIFETIME,
    OTP_GUESSES_PER_30_DAYS, OTP_GUESSES_PER_DAY, OTP_LENGTH, OTP_LIFETIME, OTP_MAX_ATTEMPTS, OTP_SEND_COUNTER_MAX,
    OTP_SEND_TIMEOUT, OTP_SENDS_FIRST_DAY, OTP_SENDS_PER_DAY, OTP_SENDS_PER_HOUR, REMEMBER_DEVICE_DAYS,
    SECOND_FACTOR_TOKEN_LIFETIME, USER_LOGIN_ERROR_MAX, USER_OTP_ERROR_MAX,
};

use crate::{
    delivery::code::Templates,
    domain::{
        auth::lockout,
        device,
        limits::{
            quota,
            rate_limit::{RateLimit, Window},
        },
        otp,
        people::phone::Countries,
    },
    runtime::edge::{Edge, Refused},
};

const DAY: u64 = 86_400;

/// Lifetimes of tokens, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Lifetime of access tokens.
    pub access: u64,
    /// Lifetime of a login, from the password to the code, however often its token is renewed.
    pub login: u64,
}

/// The policy of sending codes.
#[derive(Debug)]
pub struct SendingPolicy {
    /// The policy of codes.
    pub otp: otp::Policy,
    /// Countries that messages may be sent to.
    pub countries: Countries,
    /// Quota of the whole deployment.
    pub quota: quota::Policy,
    /// Rate limit of messages to one number, across all users.
    pub number: RateLimit,
    /// Templates of the messages.
    pub templates: Templates,
}

impl Edge {
    /// Lifetimes of tokens.
    ///
    /// # Errors
    /// [`Refused`] after every problem was recorded; likewise below.
    pub fn token_lifetimes(&self) -> Result<Lifetimes, Refused> {
        let access = self.number(&ACCESS_TOKEN_LIFETIME);
        let login = self.number(&SECOND_FACTOR_TOKEN_LIFETIME);
        Ok(Lifetimes {
            access: access?,
            login: login?,
        })
    }

    /// The lockout policy: limits of failed attempts.
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

    /// The policy of known devices.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn device_policy(&self) -> Result<device::Policy, Refused> {
        let lifetime = self.number(&KNOWN_DEVICE_LIFETIME);
        let days = self.number(&REMEMBER_DEVICE_DAYS);
        Ok(device::Policy {
            lifetime: lifetime?,
            remembered: days? * DAY,
        })
    }

    /// Rate limit of failed logins from one network.
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

    /// The policy of codes.
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
            guesses: RateLimit::new(vec![window(guesses_per_day?, DAY), window(guesses_per_month?, 30 * DAY)]),
        })
    }

    /// The policy of sending codes.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn sending_policy(&self) -> Result<SendingPolicy, Refused> {
        let otp = self.otp_policy();
        let first = self.otp_sends();
        let (countries, quota, templates) = (self.sms_countries(), self.sms_policy(), self.sms_templates());
        Ok(SendingPolicy {
            otp: otp?,
            countries: countries?,
            quota: quota?,
            number: self.sms_per_number(first?)?,
            templates: templates?,
        })
    }

    /// The rate limit of sending that the contract demands.
    fn otp_sends(&self) -> Result<Window, Refused> {
        let max = self.number(&OTP_SEND_COUNTER_MAX);
        let seconds = self.number(&OTP_SEND_TIMEOUT);
        Ok(Window {
            max: max?,
            seconds: seconds?,
        })
    }
}
