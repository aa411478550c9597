//! The cost of each request: the invocations, for users and tests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde::Serialize;

/// A long-running cloud keeps only the newest invocations.
const KEPT: usize = 20_000;

/// One call that a function made to AWS.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    /// The table, or several in alphabetical order separated by commas; `None` for other services.
    pub(crate) table: Option<String>,
}

/// The calls of one invocation, or of one process's init. Shared, because a call may follow the answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    list: Arc<Mutex<Vec<Call>>>,
    /// The capacity that they consumed.
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

/// The total capacity units that DynamoDB bills.
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
    /// The route key; `null` if the trigger was not HTTP: operators, streams, schedules.
    pub(crate) route: Option<String>,
    pub(crate) status: u16,
    /// Whether this was a cold start.
    pub(crate) cold: bool,
    /// From the request's arrival to the function's answer, a cold start and the wait for a free process included.
    pub(crate) ms: f64,
    /// The AWS calls of the function during this request.
    pub(crate) calls: Calls,
    /// The capacity units that these calls consumed, as reported by the engine.
    pub(crate) units: Units,
    /// The AWS calls of the process during init, on a cold start; only included on request.
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
        self.0.lock().expect("no holder of this lock panics").iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.0.lock().expect("no holder of this lock panics").clear();
    }
}
