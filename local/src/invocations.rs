//! The cost of each request: the invocations, for users and tests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde::Serialize;

pub(crate) use crate::cost::Consumed;
use crate::cost::{PRICES, Usage};

/// A long-running cloud keeps only the newest invocations.
const KEPT: usize = 20_000;

/// One call that a function made to AWS.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Call {
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    /// The table, or several in alphabetical order separated by commas; `None` for other services.
    pub(crate) table: Option<String>,
    /// The capacity units that it consumed, as reported by the engine.
    pub(crate) units: Units,
}

/// The calls of one invocation, or of one process's init. Shared, because a call may follow the answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    pub(crate) fn push(&self, call: Call) {
        self.0.lock().expect("no holder of this lock panics").push(call);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().expect("no holder of this lock panics").is_empty()
    }

    fn list(&self) -> Vec<Call> {
        self.0.lock().expect("no holder of this lock panics").clone()
    }
}

/// What AWS bills for a call. Shared, because it is known once the call has been carried out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Units(Arc<Mutex<Consumed>>);

impl Units {
    pub(crate) fn add(&self, more: Consumed) {
        let mut sum = self.0.lock().expect("no holder of this lock panics");
        *sum = sum.and(more);
    }

    fn consumed(&self) -> Consumed {
        *self.0.lock().expect("no holder of this lock panics")
    }
}

impl Serialize for Units {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.consumed().serialize(serializer)
    }
}

/// One finished invocation.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) function: String,
    pub(crate) memory_mb: u64,
    pub(crate) route: Option<String>,
    pub(crate) status: u16,
    pub(crate) cold: bool,
    pub(crate) ms: f64,
    pub(crate) calls: Calls,
    pub(crate) init_calls: Calls,
}

/// A finished invocation as it is listed.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    function: String,
    /// The route key; `null` if the trigger was not HTTP: operators, streams, schedules.
    route: Option<String>,
    status: u16,
    /// Whether this was a cold start.
    cold: bool,
    /// From the request's arrival to the function's answer, a cold start and the wait for a free process included.
    ms: f64,
    /// The AWS calls of the function during this request.
    calls: Vec<Call>,
    /// The capacity units that these calls consumed.
    units: Consumed,
    /// What the gateway, Lambda, DynamoDB, SES, SNS and EventBridge would bill for it, in US dollars, if it took as
    /// long on AWS.
    cost_usd: f64,
    /// The AWS calls of the process during init, on a cold start; only included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    init_calls: Option<Vec<Call>>,
}

impl Invocation {
    fn listed(&self, with_init: bool) -> Listed {
        let calls = self.calls.list();
        let consumed = calls.iter().fold(Consumed::default(), |sum, call| sum.and(call.units.consumed()));
        Listed {
            function: self.function.clone(),
            route: self.route.clone(),
            status: self.status,
            cold: self.cold,
            ms: self.ms,
            calls,
            units: consumed,
            cost_usd: PRICES.of(&Usage {
                through_gateway: self.route.is_some(),
                memory_mb: self.memory_mb,
                ms: self.ms,
                consumed,
            }),
            init_calls: with_init.then(|| self.init_calls.list()),
        }
    }
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

    /// The list, with the calls during init if they are asked for.
    pub(crate) fn list(&self, with_init: bool) -> Vec<Listed> {
        let all = self.0.lock().expect("no holder of this lock panics");
        all.iter().map(|invocation| invocation.listed(with_init)).collect()
    }

    pub(crate) fn clear(&self) {
        self.0.lock().expect("no holder of this lock panics").clear();
    }
}
