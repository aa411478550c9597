//! Growing waits (backoff): each mail of one kind to one mailbox makes the wait for the next one longer, and a pause
//! makes it shorter again. No mailbox is flooded, and no wait exceeds the last step.

use crate::domain::{limits::rate_limit::Hit, time::Timestamp};

/// The operator's waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    steps: Vec<u64>,
    memory: u64,
}

impl Waits {
    /// The waits after the first, second, … mail, in seconds; the last one applies to all that follow. A mail counts
    /// for `memory` seconds.
    ///
    /// # Panics
    /// Without a step, with one of zero seconds, or with one that exceeds the memory; settings are checked when they
    /// are read.
    #[must_use]
    pub fn new(steps: Vec<u64>, memory: u64) -> Self {
        assert!(!steps.is_empty() && steps.iter().all(|step| (1..=memory).contains(step)), "steps within the memory");
        Self { steps, memory }
    }

    /// For how many seconds a mail is stored.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.memory
    }

    /// Counts one more mail. `sent` are the mails so far, oldest first; the result is the list to store instead, or
    /// `None` while the wait lasts. A refused mail is not stored, so that it does not extend the wait.
    ///
    /// Time does not run backwards here: see [`crate::domain::limits::rate_limit::RateLimit::spend`].
    #[must_use]
    pub fn send(&self, sent: &[Hit], act: &Hit) -> Option<Vec<Hit>> {
        let now = sent.iter().map(|act| act.at).fold(act.at, Timestamp::max);
        let counts = |act: &&Hit| !act.at.deadline(self.memory).is_expired(now);
        let mut live: Vec<_> = sent.iter().filter(counts).cloned().collect();
        if let Some(last) = live.last() {
            let step = self.steps[live.len().min(self.steps.len()) - 1];
            if !last.at.deadline(step).is_expired(now) {
                return None;
            }
        }
        // No earlier mail has a later time: such a mail is refused above.
        live.push(act.clone());
        // Mails beyond the number of steps make no difference.
        live.drain(..live.len().saturating_sub(self.steps.len()));
        Some(live)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;
    const MINUTE: u64 = 60;

    fn ours() -> Waits {
        Waits::new([2, 4, 15, 60, 240].map(|minutes| minutes * MINUTE).to_vec(), DAY)
    }

    fn hit(seconds: u64) -> Hit {
        Hit {
            at: Timestamp::from_seconds(seconds),
            by: format!("at {seconds}"),
        }
    }

    fn times(sent: &[Hit]) -> Vec<u64> {
        sent.iter().map(|act| act.at.seconds()).collect()
    }

    #[test]
    fn each_mail_extends_the_next_wait() {
        let (waits, mut sent, mut now) = (ours(), Vec::new(), 1_000_000);
        for wait in [0, 2, 4, 15, 60, 240, 240, 240, 240, 240, 240, 240, 240] {
            let wait = wait * MINUTE;
            if wait > 0 {
                assert_eq!(waits.send(&sent, &hit(now + wait - 1)), None, "{wait} s after {now}");
            }
            now += wait;
            sent = waits.send(&sent, &hit(now)).expect("the wait is over");
            assert!(sent.len() <= 5);
        }
    }

    #[test]
    fn a_pause_shortens_the_wait_again() {
        let check = |sent: &[u64], now: u64, expected: Option<&[u64]>| {
            let sent: Vec<_> = sent.iter().map(|at| hit(*at)).collect();
            let found = ours().send(&sent, &hit(now));
            assert_eq!(found.as_deref().map(times).as_deref(), expected, "{:?} at {now}", times(&sent));
        };
        // Two within a day: four minutes. When the first one is a day old, two.
        check(&[0, DAY - 120], DAY - 1, None);
        check(&[0, DAY - 120], DAY, Some(&[DAY - 120, DAY]));
        check(&[1, DAY - 119], DAY, None);
        check(&[1, DAY - 119], DAY + 1, Some(&[DAY - 119, DAY + 1]));
        // Five within a day: four hours. They expire one by one.
        let five = [0, 120, 360, 1260, 4860];
        check(&five, 4860 + 240 * MINUTE - 1, None);
        check(&five, 4860 + 240 * MINUTE, Some(&[120, 360, 1260, 4860, 19_260]));
        check(&five, DAY + 360, Some(&[1260, 4860, DAY + 360]));
        check(&five, DAY + 4860, Some(&[DAY + 4860]));
    }

    #[test]
    fn a_lagging_clock_does_not_extend_the_wait() {
        let waits = ours();
        assert_eq!(waits.send(&[hit(1000)], &hit(900)), None);
        let sent = waits.send(&[hit(1000), hit(2000)], &hit(2240)).expect("240 s later");
        assert_eq!(times(&sent), [1000, 2000, 2240]);
    }

    #[test]
    fn a_limit_of_one_a_day_has_one_step() {
        let waits = Waits::new(vec![DAY], DAY);
        assert_eq!(waits.memory(), DAY);
        let sent = waits.send(&[], &hit(5)).expect("the first");
        assert_eq!(waits.send(&sent, &hit(DAY + 4)), None);
        assert_eq!(waits.send(&sent, &hit(DAY + 5)).as_deref().map(times), Some(vec![DAY + 5]));
    }
}
