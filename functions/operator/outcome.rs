//! What a command is done under, and what becomes of it.

use countersign_shared::{domain::time::Timestamp, fault::Fault};
use serde_json::{Value, json};

/// What a command is done under.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The request's id.
    pub by: &'a str,
    /// The system's time.
    pub now: Timestamp,
    /// Nothing is written, sent or drawn: the answer is what it would be, with `null` for what is not made.
    pub dry: bool,
}

/// Why a command was not done.
pub enum Failed {
    /// The command makes no sense here; in words for the operator.
    Refused(String),
    /// Something of ours broke.
    Fault(Fault),
}

impl From<&str> for Failed {
    fn from(words: &str) -> Self {
        Self::Refused(words.to_owned())
    }
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a command answers that only changes something.
pub fn done(changed: bool) -> Value {
    json!({ "done": true, "changed": changed })
}
