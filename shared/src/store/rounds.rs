//! Optimistic locking: what was judged on a row that another request has changed meanwhile is read and judged again. A wait with
//! jitter before each retry keeps requests that met once from meeting again.

use std::time::Duration;

use rand::rngs::SysRng;
use tokio::time::{Instant, sleep};

use crate::{domain::secret::random_bytes, fault::Fault};

/// The rounds of one decision: `while rounds.begin().await { … }`.
#[derive(Debug)]
pub struct Rounds {
    most: u32,
    begun: u32,
    last: Option<Instant>,
}

impl Rounds {
    /// So many at most.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self {
            most,
            begun: 0,
            last: None,
        }
    }

    /// Begins another round, unless there were enough. Each but the first one waits before it.
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

    /// The fault when other requests were faster every time: this one was a good one, and may come again.
    #[must_use]
    pub fn lost(what: &str) -> Fault {
        Fault::passing(format!("{what} changed every time"))
    }
}

/// The longest wait is at least this, so that a conflict which takes a moment to clear is not asked about many times in it.
const LEAST: Duration = Duration::from_millis(25);

/// And at most this: what a request does must end in time.
const MOST: Duration = Duration::from_millis(500);

/// How long to wait after so many lost rounds, the last of which took that long: a part, `drawn`, of as many rounds. So waits grow
/// with what makes rounds slow, and no request that has lost often waits longer than one that is new for more than a moment.
fn wait(took: Duration, lost: u32, drawn: u16) -> Duration {
    let longest = (took * lost.min(4)).clamp(LEAST, MOST);
    longest * u32::from(drawn) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_part_of_as_many_rounds_as_were_lost() {
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
    async fn there_are_so_many_rounds_and_no_more() {
        for most in [0, 1, 3] {
            let (mut rounds, mut counted) = (Rounds::new(most), 0);
            while rounds.begin().await {
                counted += 1;
            }
            assert_eq!(counted, most);
            assert!(!rounds.begin().await);
        }
        assert!(Rounds::lost("it").is_passing());
    }
}
