//! Batches that were given up: what Lambda sends to the destination for failures, and the records themselves.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde::Serialize;
use serde_json::Value;

/// A long-running cloud keeps only the newest dead letters.
const KEPT: usize = 1000;

/// One batch that was given up.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DeadLetter {
    pub(super) function: String,
    /// The ARN of the destination that the template names; `null` if it names none.
    pub(super) destination: Option<String>,
    /// What Lambda sends there. It names the records, and does not contain them.
    pub(super) message: Value,
    pub(super) records: Vec<Value>,
}

/// The dead letters since the list was last cleared, oldest first.
#[derive(Debug, Default)]
pub(crate) struct DeadLetters(Mutex<VecDeque<DeadLetter>>);

impl DeadLetters {
    pub(super) fn add(&self, letter: DeadLetter) {
        let mut all = self.all();
        if all.len() == KEPT {
            all.pop_front();
        }
        all.push_back(letter);
    }

    pub(crate) fn list(&self) -> Vec<DeadLetter> {
        self.all().iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.all().clear();
    }

    fn all(&self) -> std::sync::MutexGuard<'_, VecDeque<DeadLetter>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}
