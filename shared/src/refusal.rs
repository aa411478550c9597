//! Floor 0: why a service refuses, in no dialect. Each dialect that a service serves maps these to its own words.

use crate::{
    domain::{otp::Failure, rate_limit::RateLimited},
    fault::Fault,
};

/// Why a code was not sent.
#[derive(Debug)]
pub enum Undelivered {
    /// Too many were sent lately.
    RateLimited(RateLimited),
    /// The message could not be sent, or may not go there.
    Failed(Fault),
    /// SNS does not accept the number: a retry changes nothing.
    NotAPhone,
    /// Something else of ours failed.
    Fault(Fault),
}

impl From<Fault> for Undelivered {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Why a code was not accepted.
#[derive(Debug)]
pub enum Unverified {
    /// Too many guesses lately: this one was not judged.
    RateLimited(RateLimited),
    /// It was judged, and counted.
    Failed(Failure),
    /// Something of ours failed.
    Fault(Fault),
}

impl From<Fault> for Unverified {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
