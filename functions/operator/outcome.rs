//! The context and the outcome of a command.

use countersign_shared::{domain::time::Timestamp, fault::Fault};
use serde_json::{Value, json};

/// The context of a command.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The request's id.
    pub by: &'a str,
    /// The system time.
    pub now: Timestamp,
    /// Dry run: nothing is written, sent or drawn. The result is what it would be, with `null` for values that are not
    /// created.
    pub dry: bool,
}

/// Why a command failed.
pub enum Failed {
    /// The command is not valid here; a message for the operator.
    Refused(String),
    /// An internal error.
    Fault(Fault),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<&str> for Failed {
    fn from(words: &str) -> Self {
        Self::Refused(words.to_owned())
    }
}

/// The result of a command that only changes something.
pub fn done(changed: bool) -> Value {
    json!({ "done": true, "changed": changed })
}
