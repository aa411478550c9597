//! The operator's policy for codes.

use crate::domain::limits::rate_limit::RateLimit;

/// The operator's policy for codes.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Digits of a code (OTP_LENGTH).
    pub length: usize,
    /// Lifetime of a code, in seconds (OTP_LIFETIME); at most 600 (ASVS 6.5.5).
    pub lifetime: u64,
    /// The maximum number of guesses at one code (OTP_MAX_ATTEMPTS).
    pub max_attempts: u64,
    /// The rate limit of messages for one factor, for all callers together.
    pub sends: RateLimit,
    /// The maximum number of messages on the first day of an account, unless its factor is established.
    pub first_day_sends: usize,
    /// The rate limit of guesses at all codes of one factor, right or wrong.
    pub guesses: RateLimit,
}
