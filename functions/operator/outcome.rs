//! The context and the outcome of a command.

use countersign_shared::{domain::time::Timestamp, fault::Fault, services::audit::Cause};
use serde_json::{Value, json};

/// The context of a command.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The command's name.
    pub command: &'a str,
    /// The request's id.
    pub by: &'a str,
    /// The system time.
    pub now: Timestamp,
    /// Dry run: nothing is written, sent or drawn. The result is what it would be, with `null` for values that are not
    /// created.
    pub dry: bool,
}

impl<'a> From<Run<'a>> for Cause<'a> {
    fn from(run: Run<'a>) -> Self {
        Self {
            actor: Some("operator"),
            route: run.command,
            request_id: run.by,
            invocation: run.by,
            at: run.now,
        }
    }
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
