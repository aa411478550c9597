//! Why a request is turned away before its endpoint's own rules are asked. Neutral: every dialect has its words for it.

use crate::domain::access::Refusal;

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
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::WrongMediaType(_) => "wrong_media_type",
            Self::WrongEncoding(_) => "wrong_encoding",
            Self::NoRoute => "no_route",
            Self::WrongMethod { .. } => "wrong_method",
            Self::Access(Refusal::NoToken) => "no_token",
            Self::Access(Refusal::UnknownToken) => "unknown_token",
            Self::Access(Refusal::OtherKind) => "wrong_token_type",
            Self::Access(Refusal::Expired) => "expired_token",
            Self::Access(Refusal::Revoked) => "revoked_token",
            Self::Access(Refusal::ScopeTooSmall(_)) => "scope_too_small",
            Self::Access(Refusal::Blocked) => "blocked",
        }
    }
}
