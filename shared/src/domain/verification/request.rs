//! What an application requests of a verification.

use super::{
    code::{Code, Payment},
    destination::Destination,
    record::Which,
    service::{FriendlyName, UniqueName},
    sid::VerificationSid,
};
use crate::domain::people::locale::Locale;

/// The verification that a request names, by its SID or its destination.
#[derive(Clone, Debug)]
pub enum Name {
    /// By its SID.
    Sid(VerificationSid),
    /// By its destination.
    To(Destination),
}

impl Name {
    /// The same, borrowed.
    #[must_use]
    pub fn which(&self) -> Which<'_> {
        match self {
            Self::Sid(sid) => Which::Sid(sid),
            Self::To(to) => Which::To(to),
        }
    }
}

/// A verification to start.
#[derive(Debug)]
pub struct Start {
    /// The destination.
    pub to: Destination,
    /// The language; `None` for the tenant's in a mail, and for English in a text message.
    pub locale: Option<Locale>,
    /// The code that the caller chose.
    pub custom: Option<Code>,
    /// The payment to authorize.
    pub payment: Option<Payment>,
    /// The name in the message, instead of the service's.
    pub name: Option<FriendlyName>,
    /// The values that the application's rate limits count under.
    pub rate_limits: Vec<(UniqueName, String)>,
    /// The hash by which an Android app receives the message.
    pub app_hash: Option<String>,
}

/// A guess at a code.
#[derive(Debug)]
pub struct Guess {
    /// The verification.
    pub name: Name,
    /// The code.
    pub code: Code,
    /// The payment that the caller believes to authorize.
    pub payment: Option<Payment>,
}
