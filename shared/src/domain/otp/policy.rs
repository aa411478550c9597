//! What the operator decides about codes.

use crate::domain::rate_limit::RateLimit;

/// What the operator decides.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Digits of a code (OTP_LENGTH).
    pub length: usize,
    /// Life of a code, in seconds (OTP_LIFETIME); at most 600 (ASVS 6.5.5).
    pub lifetime: u64,
    /// So many guesses at one code are compared (OTP_MAX_ATTEMPTS).
    pub max_attempts: u64,
    /// Messages for one factor, whoever asks.
    pub sends: RateLimit,
    /// And no more than so many on the first day of an account, unless its factor is established.
    pub first_day_sends: usize,
    /// Guesses at all codes of one factor, right or wrong.
    pub guesses: RateLimit,
}
