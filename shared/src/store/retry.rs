//! Optimistic locking: a decision on a row that another request has changed since the read is repeated on a fresh read.
//! A wait with jitter before each retry keeps requests that collided once from colliding again.

use std::{ops::ControlFlow, time::Duration};

use rand::rngs::SysRng;
use tokio::time::{Instant, sleep};

use crate::{domain::crypto::secret::random_bytes, fault::Fault};

/// Reads, decides and writes on condition that nothing has changed, with a limited number of retries. `attempt` returns
/// `None` when the condition of its write did not hold: `subject` has changed since it was read.
///
/// # Errors
/// Those of an attempt; a transient [`Fault`] when every attempt found the subject changed.
pub async fn optimistic<T, E: From<Fault>>(
    most: u32,
    subject: &str,
    mut attempt: impl AsyncFnMut() -> Result<Option<T>, E>,
) -> Result<T, E> {
    let mut rounds = Rounds::new(most);
    while rounds.begin().await {
        if let Some(done) = attempt().await? {
            return Ok(done);
        }
    }
    Err(changed_every_time(subject).into())
}

/// Like [`optimistic`], for a write that returns the row that failed its condition: the next attempt uses that row, and
/// needs no read. `attempt` breaks with its result, and continues with the row for the next attempt.
///
/// # Errors
/// Those of an attempt; a transient [`Fault`] when every attempt found the subject changed.
pub async fn optimistic_from<S, T, E: From<Fault>>(
    most: u32,
    subject: &str,
    read: S,
    mut attempt: impl AsyncFnMut(S) -> Result<ControlFlow<T, S>, E>,
) -> Result<T, E> {
    let mut found = read;
    let mut rounds = Rounds::new(most);
    while rounds.begin().await {
        found = match attempt(found).await? {
            ControlFlow::Break(done) => return Ok(done),
            ControlFlow::Continue(other) => other,
        };
    }
    Err(changed_every_time(subject).into())
}

/// Concurrent requests won every time. This one was valid, and the caller may retry it.
fn changed_every_time(subject: &str) -> Fault {
    Fault::Contended(format!("{subject} changed every time"))
}

/// The rounds of a retry: `while rounds.begin().await { … }`.
#[derive(Debug)]
pub struct Rounds {
    most: u32,
    begun: u32,
    last: Option<Instant>,
}

impl Rounds {
    /// At most that many rounds.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self {
            most,
            begun: 0,
            last: None,
        }
    }

    /// Begins another round, until the limit is reached. Waits before each round but the first.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a round took says how long to wait before the next one, and decides nothing else"
    )]
    pub async fn begin(&mut self) -> bool {
        if self.begun == self.most {
            return false;
        }
        if let Some(last) = self.last {
            // Without entropy every request waits equally long, which is no worse than no wait at all.
            let drawn = random_bytes(&mut SysRng).map_or(u16::MAX, u16::from_be_bytes);
            sleep(wait(last.elapsed(), self.begun, drawn)).await;
        }
        self.begun += 1;
        self.last = Some(Instant::now());
        true
    }
}

/// The minimum of the longest wait, so that a conflict which takes a moment to clear is not retried many times within
/// it.
const LEAST: Duration = Duration::from_millis(25);

/// The maximum wait: a request must finish in time.
const MOST: Duration = Duration::from_millis(500);

/// How long to wait after `lost` rounds, the last of which took `took`: a random part, `drawn`, of the time of as many
/// rounds. So waits grow with slow rounds, and a request that has lost often waits hardly longer than a new one.
fn wait(took: Duration, lost: u32, drawn: u16) -> Duration {
    let longest = (took * lost.min(4)).clamp(LEAST, MOST);
    longest * u32::from(drawn) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_grows_with_lost_rounds_and_has_jitter() {
        for (took, lost, drawn, expected) in [
            (0, 1, 0, 0),
            (0, 1, u16::MAX, 25),
            (40, 1, u16::MAX, 40),
            (40, 2, u16::MAX, 80),
            (40, 4, u16::MAX, 160),
            (40, 5, u16::MAX, 160),
            (40, 4, u16::MAX / 2, 79),
            (200, 4, u16::MAX, 500),
            (60_000, u32::MAX, u16::MAX, 500),
        ] {
            let found = wait(Duration::from_millis(took), lost, drawn);
            assert_eq!(found.as_millis(), expected, "{took} ms, {lost} lost, {drawn}");
        }
    }

    #[tokio::test]
    async fn the_number_of_rounds_is_limited() {
        for most in [0, 1, 3] {
            let (mut rounds, mut counted) = (Rounds::new(most), 0);
            while rounds.begin().await {
                counted += 1;
            }
            assert_eq!(counted, most);
            assert!(!rounds.begin().await);
        }
    }

    #[tokio::test]
    async fn an_attempt_is_retried_until_success_or_the_limit() {
        for (most, succeeds_at, expected) in [(3, 1, Some(1)), (3, 3, Some(3)), (3, 4, None), (0, 1, None)] {
            let mut attempts = 0;
            let done = optimistic(most, "the row", async || {
                attempts += 1;
                Ok::<_, Fault>((attempts == succeeds_at).then_some(attempts))
            });
            check(done.await, expected);
            let done = optimistic_from(most, "the row", 1, async |found| {
                Ok::<_, Fault>(match found == succeeds_at {
                    true => ControlFlow::Break(found),
                    false => ControlFlow::Continue(found + 1),
                })
            });
            check(done.await, expected);
        }
    }

    fn check(done: Result<u32, Fault>, expected: Option<u32>) {
        match (done, expected) {
            (Ok(done), Some(expected)) => assert_eq!(done, expected),
            (Err(fault), None) => {
                assert!(fault.is_transient());
                assert_eq!(fault.to_string(), "the row changed every time");
            }
            (done, expected) => panic!("{done:?}, and not {expected:?}"),
        }
    }

    #[tokio::test]
    async fn an_error_ends_the_retries() {
        let mut attempts = 0;
        let failed: Result<(), Fault> = optimistic(3, "the row", async || {
            attempts += 1;
            Err(Fault::Bug("it broke".into()))
        })
        .await;
        assert_eq!(failed.expect_err("the attempt's").to_string(), "it broke");
        assert_eq!(attempts, 1);
    }
}
