//! Faults of calls to AWS, and deterministic races.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::support::{clock::eventually, world::World};

/// The operation that writes a transaction.
const TRANSACTION: &str = "TransactWriteItems";

/// More calls than any test makes. A fault that skips so many hits none, and the rest of its `skip` counts the calls.
const MANY: u64 = 1_000_000;

impl World {
    /// Injects a fault.
    pub async fn inject(&self, rule: Value) {
        self.post("/_local/faults").json(&rule).send_local().await;
    }

    /// Removes all faults.
    pub async fn clear_faults(&self) {
        let got = self.request("DELETE", "/_local/faults").send_unchecked().await;
        assert!(got.status < 300, "{got:?}");
    }

    /// Runs `act`, whose first attempt to write a transaction hangs, and `meanwhile` before its second attempt; `None`
    /// if `meanwhile` was not finished by then.
    pub async fn overtaken<T>(&self, act: impl Future<Output = T>, meanwhile: impl Future<Output = ()>) -> Option<T> {
        self.count_transactions().await;
        self.inject(json!({ "service": "dynamodb", "operation": TRANSACTION, "kind": "hang", "times": 1 }))
            .await;
        let meanwhile = async {
            eventually(async || self.faults_of("hang").await.is_empty()).await;
            meanwhile.await;
            self.transactions_under_way().await == 1
        };
        let (got, was_in_time) = join(act, meanwhile).await;
        self.clear_faults().await;
        was_in_time.then_some(got)
    }

    /// Begins to count transactions.
    pub async fn count_transactions(&self) {
        self.invocations().await;
        self.inject(json!({ "service": "dynamodb", "operation": TRANSACTION, "kind": "error", "skip": MANY }))
            .await;
    }

    /// How many transactions are attempted by requests that have no response yet.
    pub async fn transactions_under_way(&self) -> u64 {
        // In this order: a request in between is counted too often, and never too seldom.
        let answered = self.get("/_local/invocations").send_local().await;
        let calls = answered.as_array().expect("a list").iter();
        let calls = calls.flat_map(|invocation| invocation["calls"].as_array().expect("calls"));
        let answered = calls.filter(|call| call["operation"] == TRANSACTION).count();
        let counter = self.faults_of("error").await;
        let attempted = MANY - counter[0]["skip"].as_u64().expect("a number");
        attempted - u64::try_from(answered).expect("few")
    }

    /// The active faults of a kind.
    async fn faults_of(&self, kind: &str) -> Vec<Value> {
        let mut faults = self.get("/_local/faults").send_local().await;
        let mut faults = std::mem::take(faults.as_array_mut().expect("a list"));
        faults.retain(|fault| fault["kind"] == kind);
        faults
    }
}

/// Repeats a race until one round was in time. A round returns `None` if the machine was too slow.
pub async fn in_some_round(round: impl AsyncFn(usize) -> Option<()>) {
    for number in 0..5 {
        if round(number).await.is_some() {
            return;
        }
    }
    panic!("in no round was the change made before the write was attempted again: the machine is too busy");
}

/// A fault for `times` calls of any operation of a service, after `skip` calls.
pub fn fault_rule(service: &str, kind: &str, skip: u32, times: u32) -> Value {
    json!({ "service": service, "operation": null, "kind": kind, "skip": skip, "times": times })
}
