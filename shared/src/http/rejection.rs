//! Why a request is turned away before its endpoint's own rules are asked. Neutral: every dialect has its words for it.

use crate::{domain::access::Refusal, observe::Outcome};

/// The request could not be read or admitted.
#[derive(Clone, Debug)]
pub enum Rejection {
    /// A parameter, a header or the body cannot be read.
    Malformed,
    /// The body has more than 16 KiB.
    TooLarge,
    /// The body is of this type, which the route does not take.
    WrongMediaType(String),
    /// The body is encoded like this, and only `identity` is taken.
    WrongEncoding(String),
    /// No route has this path.
    NoRoute,
    /// The path has a route, for these methods only.
    WrongMethod {
        /// For the header `Allow`.
        allow: String,
    },
    /// The caller may not pass.
    Access(Refusal),
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::Access(refusal)
    }
}

impl Rejection {
    /// The word for the log.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Malformed => Outcome::Malformed,
            Self::TooLarge => Outcome::TooLarge,
            Self::WrongMediaType(_) => Outcome::WrongMediaType,
            Self::WrongEncoding(_) => Outcome::WrongEncoding,
            Self::NoRoute => Outcome::NoRoute,
            Self::WrongMethod { .. } => Outcome::WrongMethod,
            Self::Access(Refusal::NoToken) => Outcome::NoToken,
            Self::Access(Refusal::UnknownToken) => Outcome::UnknownToken,
            Self::Access(Refusal::OtherKind) => Outcome::WrongTokenType,
            Self::Access(Refusal::Expired) => Outcome::ExpiredToken,
            Self::Access(Refusal::Revoked) => Outcome::RevokedToken,
            Self::Access(Refusal::ScopeTooSmall(_)) => Outcome::ScopeTooSmall,
            Self::Access(Refusal::Blocked) => Outcome::Blocked,
        }
    }
}
