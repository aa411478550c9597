//! The local clock, and waiting for asynchronous work.

use std::time::Duration;

use serde_json::json;

use crate::support::world::World;

/// Seconds of a minute.
pub const MINUTE: u64 = 60;

/// Seconds of an hour.
pub const HOUR: u64 = 3600;

/// Seconds of a day.
pub const DAY: u64 = 86_400;

impl World {
    /// The local time, in epoch seconds.
    pub async fn now(&self) -> u64 {
        let now = self.get("/_local/clock").send_local().await;
        let text = now["now"].as_str().expect("a time");
        let at = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).expect("RFC 3339");
        at.unix_timestamp().try_into().expect("after 1970")
    }

    /// Moves the local clock forward.
    pub async fn advance(&self, seconds: u64) {
        self.post("/_local/clock").json(&json!({ "advance_seconds": seconds })).send_local().await;
    }
}

/// Polls until `truth` holds, at most 20 seconds.
pub async fn eventually(truth: impl AsyncFn() -> bool) {
    let asked = async {
        let mut turns = tokio::time::interval(Duration::from_millis(5));
        while !truth().await {
            turns.tick().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), asked).await.is_ok(), "in vain");
}
