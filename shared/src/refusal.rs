//! Floor 0: why a service refuses, independent of the dialect. Each dialect maps these to its own errors.

use crate::{
    domain::{
        limits::{quota::Exhausted, rate_limit::RateLimited},
        otp::Failure,
    },
    fault::Fault,
};
use derive_more::From;

/// Why a code was not sent.
#[derive(Debug, From)]
pub enum Undelivered {
    /// Too many were sent recently.
    RateLimited(RateLimited),
    /// The text messages of the last day cost as much as they may.
    OverMoney(RateLimited),
    /// The message could not be sent, or its destination is not allowed.
    Failed(Fault),
    /// SNS does not accept the number: a retry does not help.
    NotAPhone,
    /// Another internal error.
    #[from]
    Fault(Fault),
}

impl From<Exhausted> for Undelivered {
    fn from(exhausted: Exhausted) -> Self {
        match exhausted {
            Exhausted::Messages(limited) => Self::RateLimited(limited),
            Exhausted::Money(limited) => Self::OverMoney(limited),
        }
    }
}

/// Why a code was not accepted.
#[derive(Debug)]
pub enum Unverified {
    /// Too many guesses recently: this one was not verified.
    RateLimited(RateLimited),
    /// The guess was wrong, and was counted.
    Failed(Failure),
    /// What was submitted cannot be a code of any of the user's second factors, and did not count: a code has this number
    /// of digits.
    Malformed(usize),
    /// The user has no active second factor.
    NoFactor,
    /// The user has set no second factor.
    FactorNotSet,
    /// An internal error.
    Fault(Fault),
}

impl From<Fault> for Unverified {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Why a signed-in user was not authenticated again.
#[derive(Debug, From)]
pub enum NotReauthenticated {
    /// Too many guesses at the password recently: this one was not verified.
    RateLimited(RateLimited),
    /// The password is wrong.
    WrongPassword,
    /// An internal error.
    #[from]
    Fault(Fault),
}

/// Why a verification was not started.
#[derive(Debug, From)]
pub enum NotStarted {
    /// Too many messages were sent to the destination recently.
    RateLimited(RateLimited),
    /// The deployment or the country has sent too many messages recently, or they cost too much.
    #[from]
    Quota(Exhausted),
    /// The deployment has sent too many mails recently.
    Mails(RateLimited),
    /// A rate limit that the application defines is exceeded.
    Defined(RateLimited),
    /// The application names a rate limit that its service does not define.
    UnknownRateLimit,
    /// Every attempt lost to concurrent starts for the same destination.
    Busy(RateLimited),
    /// Too many messages to the country were not followed by an approval.
    UnverifiedBudget,
    /// Messages do not go to that country.
    Country,
    /// The deployment does not send by this channel.
    ChannelOff,
    /// The destination cannot receive messages: a retry does not help.
    Undeliverable,
    /// The message could not be sent.
    NotSent(Fault),
    /// Another internal error.
    #[from]
    Fault(Fault),
}

/// Why an application may not do what it requests, in the dialect that identifies callers by SID and secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The request names no credential, or has a malformed one.
    NoCredential,
    /// No account or key has that SID.
    UnknownCredential,
    /// The secret is another one.
    WrongSecret,
    /// The account has no such service.
    NoService,
    /// The service has no entity of that name.
    NoEntity,
}
