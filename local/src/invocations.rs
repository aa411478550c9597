//! What each request cost: the invocations that people and tests can look at.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde::Serialize;

/// A cloud that runs for days keeps the newest invocations only.
const KEPT: usize = 20_000;

/// One call that a function made to AWS.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    /// The table, or several in alphabetical order with commas between them; none for other services.
    pub(crate) table: Option<String>,
}

/// The calls of one invocation, or of one process's init. Shared, because a call may come after the answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    list: Arc<Mutex<Vec<Call>>>,
    /// What they consumed.
    pub(crate) units: Units,
}

impl Calls {
    pub(crate) fn push(&self, call: Call) {
        self.list.lock().expect("no holder of this lock panics").push(call);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.lock().expect("no holder of this lock panics").is_empty()
    }

    fn list(&self) -> Vec<Call> {
        self.list.lock().expect("no holder of this lock panics").clone()
    }
}

/// Units of capacity that DynamoDB bills, in sum.
#[derive(Debug, Clone, Default)]
pub(crate) struct Units(Arc<Mutex<Consumed>>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Consumed {
    pub(crate) read: f64,
    pub(crate) write: f64,
}

impl Units {
    pub(crate) fn add(&self, more: Consumed) {
        let mut sum = self.0.lock().expect("no holder of this lock panics");
        sum.read += more.read;
        sum.write += more.write;
    }
}

impl Serialize for Units {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sum = *self.0.lock().expect("no holder of this lock panics");
        sum.serialize(serializer)
    }
}

impl Serialize for Calls {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list().serialize(serializer)
    }
}

/// One finished invocation.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Invocation {
    pub(crate) function: String,
    /// The route key; `null` when nobody came over HTTP: operators, streams, schedules.
    pub(crate) route: Option<String>,
    pub(crate) status: u16,
    /// Whether a process had to be started for it.
    pub(crate) cold: bool,
    /// From the request's arrival to the function's answer, a process's start and a wait for a free one included.
    pub(crate) ms: f64,
    /// What the function called while it worked on this request.
    pub(crate) calls: Calls,
    /// The units of capacity that these calls consumed, as the engine tells them.
    pub(crate) units: Units,
    /// What its process called while it started, on a cold invocation; left out for those who do not ask for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) init_calls: Option<Calls>,
}

/// The finished invocations, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Invocations(Mutex<VecDeque<Invocation>>);

impl Invocations {
    pub(crate) fn push(&self, invocation: Invocation) {
        let mut all = self.0.lock().expect("no holder of this lock panics");
        if all.len() == KEPT {
            all.pop_front();
        }
        all.push_back(invocation);
    }

    pub(crate) fn list(&self) -> Vec<Invocation> {
        self.0
            .lock()
            .expect("no holder of this lock panics")
            .iter()
            .cloned()
            .collect()
    }

    pub(crate) fn clear(&self) {
        self.0.lock().expect("no holder of this lock panics").clear();
    }
}
