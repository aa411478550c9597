//! Why a request is refused before its endpoint's own rules apply. Independent of the dialect: each has its own errors.

use crate::{domain::auth::access::Refusal, observe::Outcome};
use derive_more::From;

/// The request is malformed or not authorized.
#[derive(Clone, Debug, From)]
pub enum Rejection {
    /// A parameter, a header or the body is malformed.
    Malformed,
    /// The body exceeds 16 KiB.
    TooLarge,
    /// The body has this media type, which the route does not accept.
    WrongMediaType(String),
    /// The body has this encoding; only `identity` is accepted.
    WrongEncoding(String),
    /// No route has this path.
    NoRoute,
    /// The path has a route, but only for these methods.
    WrongMethod {
        /// The value of the header `Allow`.
        allow: String,
    },
    /// The caller is not authenticated or not authorized.
    #[from]
    Access(Refusal),
}

impl Rejection {
    /// The name in the log.
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
