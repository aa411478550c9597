//! Floor 0: what broke on our side. Opaque to callers: logged once, where the request ends, and a bare 5xx outside.

use std::fmt;

use crate::domain::secret::NoEntropy;

/// Something of ours failed. Its words are for the operator's log: what was tried, and how it failed, never with a value from a request
/// or a row in them.
#[derive(Debug)]
pub enum Fault {
    /// A call of DynamoDB failed.
    Store {
        /// The operation.
        operation: &'static str,
        /// On which table, if on one.
        table: Option<String>,
        /// The code of the error, or what took the place of an answer.
        code: String,
        /// Whether DynamoDB could not be reached, gave no answer in time, or was overloaded.
        is_transient: bool,
    },
    /// Other requests were in the way every time, or have changed what was judged. The request was valid, and may be retried.
    Contended(String),
    /// What is stored is not as we write it.
    Corrupt(String),
    /// The random generator failed.
    Entropy,
    /// SES did not take a mail.
    Mail(String),
    /// SNS did not take a text message, or none may be sent there.
    Sms(String),
    /// A secret with keys cannot be read or written.
    Keys(String),
    /// This work took longer than it may.
    TooSlow(&'static str),
    /// What must not happen: a bug of ours, or of what we call.
    Bug(String),
}

/// After how many seconds another try is worth it when a dependency failed, or a message could not be sent.
pub const TRY_AGAIN_AFTER: u64 = 5;

impl Fault {
    /// Whether a dependency failed for a moment, so that the caller may retry: outside that is a 503 with `Retry-After`, and a 500
    /// otherwise (ASVS 16.5.2).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store { is_transient, .. } => *is_transient,
            Self::Contended(_) | Self::Entropy | Self::TooSlow(_) => true,
            Self::Corrupt(_) | Self::Mail(_) | Self::Sms(_) | Self::Keys(_) | Self::Bug(_) => false,
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
            | Self::Keys(words)
            | Self::Bug(words) => f.write_str(words),
            Self::Entropy => f.write_str("the random generator failed"),
            Self::TooSlow(work) => write!(f, "{work} took too long"),
        }
    }
}

impl From<NoEntropy> for Fault {
    fn from(_: NoEntropy) -> Self {
        Self::Entropy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_fault_says_what_was_tried_where_and_how_it_failed() {
        let fault = |table| Fault::Store {
            operation: "GetItem",
            table,
            code: "no answer in time".into(),
            is_transient: true,
        };
        for (fault, words) in [
            (
                fault(Some("users".into())),
                "GetItem on users failed: no answer in time",
            ),
            (fault(None), "GetItem failed: no answer in time"),
            (Fault::TooSlow("the work"), "the work took too long"),
            (Fault::from(NoEntropy), "the random generator failed"),
        ] {
            assert_eq!(fault.to_string(), words);
            assert!(fault.is_transient());
        }
    }
}
