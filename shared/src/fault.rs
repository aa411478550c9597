//! Floor 0: internal errors. Opaque to callers: logged once, where the request ends; the response is a bare 5xx.

use std::fmt;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::domain::crypto::{encryption::Unreadable, secret::NoEntropy};

/// An internal error. Its text is for the operator's log: what was tried and how it failed, never with a value from a
/// request or a row.
#[derive(Debug)]
pub enum Fault {
    /// A call of DynamoDB failed.
    Store {
        /// The operation.
        operation: &'static str,
        /// The table, if the operation has one.
        table: Option<String>,
        /// The error code, or what came instead of a response.
        code: String,
        /// Whether the error is transient: DynamoDB was unreachable, timed out or was overloaded.
        is_transient: bool,
    },
    /// Concurrent requests won every time (optimistic locking), or changed what the decision relied on. The request was
    /// valid, and may be retried.
    Contended(String),
    /// A stored value has an unexpected form.
    Corrupt(String),
    /// The random generator failed.
    Entropy,
    /// SES did not accept a mail.
    Mail(String),
    /// SNS did not accept a text message, or its country is not allowed.
    Sms(String),
    /// EventBridge did not accept an event.
    Events(String),
    /// A secret with keys cannot be read or written.
    Keys(String),
    /// The work timed out.
    TooSlow(&'static str),
    /// An invariant is violated: a bug in our code, or in code that we call.
    Bug(String),
}

/// `Retry-After`, in seconds, when a dependency failed or a message could not be sent.
pub const TRY_AGAIN_AFTER: u64 = 5;

impl Fault {
    /// Whether the fault is transient, so that the caller may retry: the response is then a 503 with `Retry-After`,
    /// otherwise a 500 (ASVS 16.5.2).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store { is_transient, .. } => *is_transient,
            Self::Contended(_) | Self::Entropy | Self::TooSlow(_) => true,
            Self::Corrupt(_) | Self::Mail(_) | Self::Sms(_) | Self::Events(_) | Self::Keys(_) | Self::Bug(_) => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store {
                operation,
                table: Some(table),
                code,
                is_transient: _,
            } => write!(f, "{operation} on {table} failed: {code}"),
            Self::Store { operation, code, .. } => write!(f, "{operation} failed: {code}"),
            Self::Contended(words)
            | Self::Corrupt(words)
            | Self::Mail(words)
            | Self::Sms(words)
            | Self::Events(words)
            | Self::Keys(words)
            | Self::Bug(words) => f.write_str(words),
            Self::Entropy => f.write_str("the random generator failed"),
            Self::TooSlow(work) => write!(f, "{work} took too long"),
        }
    }
}

impl From<Unreadable> for Fault {
    fn from(_: Unreadable) -> Self {
        Self::Corrupt("an encrypted value does not open: was its key retired?".into())
    }
}

impl From<NoEntropy> for Fault {
    fn from(_: NoEntropy) -> Self {
        Self::Entropy
    }
}

/// How a call of AWS failed, without its message: messages may quote values and addresses.
#[must_use]
pub fn failure_of<E: ProvideErrorMetadata, H>(error: &SdkError<E, H>) -> String {
    match error {
        SdkError::ServiceError(context) => context.err().code().unwrap_or("an error without a code").to_owned(),
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        SdkError::DispatchFailure(_) => "no connection".to_owned(),
        SdkError::ResponseError(_) => "an unreadable answer".to_owned(),
        _ => "the request could not be made".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_fault_states_its_operation_table_and_cause() {
        let fault = |table| Fault::Store {
            operation: "GetItem",
            table,
            code: "no answer in time".into(),
            is_transient: true,
        };
        for (fault, words) in [
            (fault(Some("users".into())), "GetItem on users failed: no answer in time"),
            (fault(None), "GetItem failed: no answer in time"),
            (Fault::TooSlow("the work"), "the work took too long"),
            (Fault::from(NoEntropy), "the random generator failed"),
        ] {
            assert_eq!(fault.to_string(), words);
            assert!(fault.is_transient());
        }
    }
}
