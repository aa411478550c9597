//! The local clock, and waiting for what happens by itself.

use std::time::Duration;

use serde_json::json;

use crate::support::world::World;

pub const MINUTE: u64 = 60;
pub const HOUR: u64 = 3600;
pub const DAY: u64 = 86_400;

impl World {
    /// The local clock, in epoch seconds.
    pub async fn now(&self) -> u64 {
        let now = self.get("/_local/clock").send_local().await;
        let text = now["now"].as_str().expect("a time");
        let at = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).expect("RFC 3339");
        at.unix_timestamp().try_into().expect("after 1970")
    }

    pub async fn advance(&self, seconds: u64) {
        self.post("/_local/clock")
            .json(&json!({ "advance_seconds": seconds }))
            .send_local()
            .await;
    }
}

/// Asks again and again until `truth` holds.
pub async fn eventually(truth: impl AsyncFn() -> bool) {
    let asked = async {
        let mut turns = tokio::time::interval(Duration::from_millis(5));
        while !truth().await {
            turns.tick().await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(20), asked).await.is_ok(),
        "in vain"
    );
}
