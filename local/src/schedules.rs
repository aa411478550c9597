//! Schedules: functions that run at a fixed rate of the local clock.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::state::Inner;
use crate::template::{ACCOUNT, REGION, Schedule};
use crate::{random, streams};

const TICK: Duration = Duration::from_secs(1);
/// DynamoDB sweeps at times of its own choice; once a minute is often enough to observe it.
const SWEEP_EVERY: u64 = 60;

/// Runs due schedules until the cloud stops. If the clock was moved past several runs of one, it runs once.
pub(crate) async fn follow(inner: Arc<Inner>) {
    let start = inner.clock.seconds();
    let mut due: Vec<u64> = inner.template.schedules.iter().map(|schedule| start + schedule.every.as_secs()).collect();
    let mut sweep_due = tokio::time::Instant::now() + Duration::from_secs(SWEEP_EVERY);
    loop {
        tokio::select! {
            () = inner.stop.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
        let now = inner.clock.seconds();
        for (schedule, due) in inner.template.schedules.iter().zip(&mut due) {
            if now >= *due {
                *due = now + schedule.every.as_secs();
                let payload = event(&inner, schedule);
                inner.run(schedule.function, None, payload.into()).await;
            }
        }
        if tokio::time::Instant::now() >= sweep_due {
            sweep_due = tokio::time::Instant::now() + Duration::from_secs(SWEEP_EVERY);
            if let Err(error) = streams::sweep(&inner).await {
                inner.log.function("dynamodb", &format!("a sweep failed: {error}"));
            }
        }
    }
}

fn event(inner: &Inner, schedule: &Schedule) -> String {
    if let Some(input) = &schedule.input {
        return input.clone();
    }
    let event = json!({
        "version": "0",
        "id": random::uuid(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": inner.clock.iso(),
        "region": REGION,
        "resources": [format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{}", schedule.name)],
        "detail": {},
    });
    event.to_string()
}
