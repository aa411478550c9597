//! The dialect of verifications, Twilio Verify v2: forms in, JSON objects out, errors with a code (docs/contract.md,
//! Verify).

mod attempt;
mod entity;
mod form;
mod page;
mod service;
#[cfg(test)]
mod tests;
mod urls;
mod verification;

pub use attempt::{
    AttemptBody, AttemptConditions, AttemptList, AttemptPage, AttemptQuery, SummaryBody, attempt, attempt_summary,
    attempts, read_attempt_filter,
};
pub use entity::{
    ChallengeAnswerForm, ChallengeBody, ChallengeForm, ChallengeList, ChallengeQuery, EntityBody, EntityFactorBody,
    EntityFactorList, EntityForm, EntityList, EntityQuery, FactorChangeForm, FactorForm, NewEntityFactorBody,
    challenge, challenges, entities, entity, factor, factors, new_factor,
};
pub use form::Form;
pub use page::{PageMeta, Paging};
pub use service::{
    BucketBody, BucketChangeForm, BucketForm, BucketList, RateLimitBody, RateLimitChangeForm, RateLimitForm,
    RateLimitList, ServiceBody, ServiceForm, ServiceList, bucket, buckets, rate_limit, rate_limits, service, services,
};
pub use urls::Urls;
pub use verification::{
    CheckBody, CheckForm, StartForm, StatusForm, VerificationBody, checked, expect_features, named, read_check,
    read_start, read_status, shown, started,
};

use derive_more::From;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{
    call::Call,
    rejection::Rejection,
    reply::{Dialect, Reply},
};
use crate::{
    domain::{idempotency::InProgress, limits::rate_limit::RateLimited, verification::entity::Refused},
    fault::{Fault, TRY_AGAIN_AFTER},
    observe::{Family, Outcome},
    refusal::{Denied, NotStarted},
};

/// The challenge of a 401 (RFC 7617 §2).
const CHALLENGE: &str = r#"Basic realm="Countersign", charset="UTF-8""#;

/// An error, as clients of the vendor read it. It has no `type` and no `title`: with those, clients read it as another
/// format.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifyError {
    /// The code, which says more than the status.
    #[schema(example = 60200)]
    code: u32,
    /// The message.
    #[schema(example = "Invalid parameter: To")]
    message: String,
    /// The vendor's page about the code.
    #[schema(format = "uri", example = "https://www.twilio.com/docs/errors/60200")]
    more_info: String,
    /// HTTP status.
    #[schema(example = 400)]
    status: u16,
}

/// The errors of this dialect.
#[derive(Debug, From)]
pub enum Error {
    /// The request is malformed.
    #[from]
    Rejected(Rejection),
    /// The application may not do that.
    #[from]
    Denied(Denied),
    /// The resource does not exist, has expired, or belongs to another account.
    NotFound,
    /// Rate limited.
    TooManyRequests(RateLimited),
    /// The parameter of that name is missing or not valid.
    Invalid(&'static str),
    /// As many of these exist as there may be.
    LimitReached(&'static str),
    /// Too many codes were compared.
    MaxCheckAttempts(RateLimited),
    /// Too many messages were sent.
    MaxSendAttempts(RateLimited),
    /// The service does not support this, or not yet.
    FeatureOff,
    /// Too many requests for the same number at the same time.
    TooManyConcurrent(RateLimited),
    /// The channel is not available.
    ChannelOff,
    /// Too many messages were not followed by an approval.
    UnverifiedBudget,
    /// The SID of the verification is malformed.
    MalformedVerification,
    /// Messages are not sent to that country.
    CountryNotListed,
    /// The challenge's parameters are not valid.
    InvalidChallenge,
    /// Too many codes were compared for a challenge.
    MaxChallengeAttempts(RateLimited),
    /// Too many codes were compared for a factor.
    MaxFactorAttempts(RateLimited),
    /// The factor could not be verified.
    FactorNotVerified,
    /// The challenge has expired.
    ChallengeExpired,
    /// The message cannot be sent; nothing remains that would block a retry.
    NotSent(Fault),
    /// A call with the same `Idempotency-Key` is in progress.
    #[from]
    InProgress(InProgress),
    /// An internal error.
    #[from]
    Fault(Fault),
}

impl From<NotStarted> for Error {
    fn from(refusal: NotStarted) -> Self {
        match refusal {
            NotStarted::RateLimited(limited) => Self::MaxSendAttempts(limited),
            NotStarted::Quota(exhausted) => Self::TooManyRequests(exhausted.limited()),
            NotStarted::Mails(limited) | NotStarted::Defined(limited) => Self::TooManyRequests(limited),
            NotStarted::UnknownRateLimit => Self::Invalid("RateLimits"),
            NotStarted::Busy(limited) => Self::TooManyConcurrent(limited),
            NotStarted::UnverifiedBudget => Self::UnverifiedBudget,
            NotStarted::Country => Self::CountryNotListed,
            NotStarted::ChannelOff => Self::ChannelOff,
            NotStarted::Undeliverable => Self::Invalid("To"),
            NotStarted::NotSent(fault) => Self::NotSent(fault),
            NotStarted::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::NotFound,
            Refused::Exists => Self::Invalid("Identity"),
            Refused::TooManyFactors => Self::LimitReached("The entity has as many factors as it may have"),
            Refused::TooManyChallenges(limited) => Self::TooManyRequests(limited),
            Refused::NoFactor | Refused::AlreadyApproved => Self::InvalidChallenge,
            Refused::FactorNotVerified => Self::FactorNotVerified,
            Refused::AlreadyVerified => Self::Invalid("AuthPayload"),
            Refused::Expired => Self::ChallengeExpired,
            Refused::FactorLimited(limited) => Self::MaxFactorAttempts(limited),
            Refused::ChallengeLimited(limited) => Self::MaxChallengeAttempts(limited),
            Refused::Unreadable => Self::Fault(Fault::Corrupt("a factor's secret does not decrypt".into())),
        }
    }
}

impl Dialect for Error {
    const FAMILY: Option<Family> = Some(Family::Verify);

    fn reply(self, call: &Call) -> Reply {
        match self {
            Self::Rejected(rejection) => rejected(rejection, call),
            Self::Denied(denied) => refused(denied, call),
            Self::NotFound => not_found(Outcome::NotFound, call),
            Self::TooManyRequests(limited) => wait(limited, said(429, 20429, Outcome::Throttled, "Too many requests")),
            Self::Invalid(name) => said(400, 60200, Outcome::InvalidParameter, format!("Invalid parameter: {name}")),
            Self::LimitReached(words) => said(400, 20001, Outcome::LimitReached, words),
            Self::MaxCheckAttempts(limited) => {
                wait(limited, said(429, 60202, Outcome::CheckAttemptsExhausted, "Max check attempts reached"))
            }
            Self::MaxSendAttempts(limited) => {
                wait(limited, said(429, 60203, Outcome::SendAttemptsExhausted, "Max send attempts reached"))
            }
            Self::FeatureOff => said(403, 60204, Outcome::FeatureDisabled, "The service does not support this feature"),
            Self::TooManyConcurrent(limited) => wait(
                limited,
                said(429, 60212, Outcome::TooManyConcurrent, "Too many concurrent requests for the phone number"),
            ),
            Self::ChannelOff => said(400, 60223, Outcome::ChannelDisabled, "The delivery channel is disabled"),
            Self::UnverifiedBudget => said(
                403,
                60410,
                Outcome::UnverifiedBudgetExhausted,
                "Messages to this destination are suspended: too many were not verified",
            ),
            Self::MalformedVerification => {
                said(400, 60425, Outcome::InvalidParameter, "The verification SID is not valid")
            }
            Self::CountryNotListed => {
                said(403, 60605, Outcome::CountryNotAllowed, "Messages are not sent to this country")
            }
            Self::InvalidChallenge => said(400, 60306, Outcome::InvalidChallenge, "The challenge is not valid"),
            Self::MaxChallengeAttempts(limited) => wait(
                limited,
                said(429, 60308, Outcome::ChallengeAttemptsExhausted, "Max attempts of the challenge reached"),
            ),
            Self::MaxFactorAttempts(limited) => {
                wait(limited, said(429, 60310, Outcome::FactorAttemptsExhausted, "Max attempts of the factor reached"))
            }
            Self::FactorNotVerified => said(403, 60311, Outcome::FactorNotVerified, "The factor is not verified"),
            Self::ChallengeExpired => said(403, 60323, Outcome::ChallengeExpired, "The challenge has expired"),
            Self::NotSent(fault) => said(503, 20503, Outcome::NotSent, "The message cannot be sent, try again later")
                .with_header("retry-after", TRY_AGAIN_AFTER.to_string())
                .with_fault(fault),
            Self::InProgress(InProgress { retry_after }) => {
                said(409, 20409, Outcome::InProgress, "The same request is being processed")
                    .with_header("retry-after", retry_after.to_string())
            }
            Self::Fault(fault) => Reply::of_fault(fault, |status| match status {
                503 => said(status, 20503, Outcome::Fault, "Service unavailable, try again later"),
                _ => said(status, 20500, Outcome::Fault, "Internal server error"),
            }),
        }
    }
}

fn refused(denied: Denied, call: &Call) -> Reply {
    let outcome = match denied {
        Denied::NoCredential => Outcome::NoCredential,
        Denied::UnknownCredential => Outcome::UnknownCredential,
        Denied::WrongSecret => Outcome::WrongSecret,
        Denied::NoService | Denied::NoEntity => return not_found(Outcome::NotFound, call),
    };
    unauthenticated(outcome)
}

/// The general codes are the vendor's; where it has none, 20001 is for a request that is not as it must be.
fn rejected(rejection: Rejection, call: &Call) -> Reply {
    let outcome = rejection.outcome();
    match rejection {
        Rejection::Malformed => said(400, 20001, outcome, "Malformed request"),
        Rejection::TooLarge => said(413, 20001, outcome, "Request body too large"),
        Rejection::WrongMediaType(_) => said(415, 20001, outcome, "Unsupported media type"),
        Rejection::WrongEncoding(_) => {
            said(415, 20001, outcome, "Unsupported content encoding").with_header("accept-encoding", "identity")
        }
        Rejection::NoRoute => not_found(outcome, call),
        Rejection::WrongMethod { allow } => said(405, 20004, outcome, "Method not allowed").with_header("allow", allow),
        Rejection::Access(_) => unauthenticated(outcome),
    }
}

fn unauthenticated(outcome: Outcome) -> Reply {
    said(401, 20003, outcome, "Authenticate").with_header("www-authenticate", CHALLENGE)
}

fn not_found(outcome: Outcome, call: &Call) -> Reply {
    said(404, 20404, outcome, format!("The requested resource {} was not found", call.path))
}

fn wait(RateLimited { retry_after }: RateLimited, reply: Reply) -> Reply {
    reply.with_header("retry-after", retry_after.to_string())
}

fn said(status: u16, code: u32, outcome: Outcome, message: impl Into<String>) -> Reply {
    Reply::json(
        status,
        outcome,
        &VerifyError {
            code,
            message: message.into(),
            more_info: format!("https://www.twilio.com/docs/errors/{code}"),
            status,
        },
    )
}
