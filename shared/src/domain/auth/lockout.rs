//! Lockout (docs/contract.md, Second factors and tokens): wrong passwords and wrong codes are counted on the account,
//! and too many block it.
//!
//! An active block invalidates every token of the user. Unblocking raises the user's token generation, so that none of
//! them becomes valid again; a block that expires is kept on record, so that older tokens stay invalid.

use crate::domain::time::Timestamp;

/// The operator's lockout policy.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Wrong passwords in a row that are allowed (USER_LOGIN_ERROR_MAX).
    pub passwords: u64,
    /// Failed codes in a row that are allowed (USER_OTP_ERROR_MAX).
    pub otps: u64,
    /// Duration of a block by failures, in seconds (BLOCK_SECONDS); `None`: until it is removed explicitly.
    pub seconds: Option<u64>,
}

/// Why a user is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// Blocked by an administrator; only an administrator can unblock.
    Decision,
    /// Too many wrong passwords; a password reset unblocks.
    Passwords,
    /// Too many failed codes; a password reset unblocks.
    Otps,
}

impl Why {
    /// The stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Passwords => "passwords",
            Self::Otps => "otps",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Decision, Self::Passwords, Self::Otps].into_iter().find(|why| why.name() == name)
    }

    /// Whether failed attempts caused the block, and not an administrator.
    #[must_use]
    pub fn is_failures(self) -> bool {
        match self {
            Self::Decision => false,
            Self::Passwords | Self::Otps => true,
        }
    }
}

/// A block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// The cause.
    pub why: Why,
    /// When it began. Tokens issued until then are invalid.
    pub at: Timestamp,
    /// When the block expires; `None`: when it is removed explicitly.
    pub until: Option<Timestamp>,
}

/// Who shares a counter of failed logins (OWASP, device cookies).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// All callers without a known device share the user's counters: any of them can block all of them.
    Anonymous,
    /// A known device has a counter of its own, so failures of others do not block it.
    KnownDevice,
}

impl Lane {
    /// Whether a block of that cause applies here. An administrator's does everywhere.
    #[must_use]
    pub fn is_blocked_by(self, why: Why) -> bool {
        match self {
            Self::Anonymous => true,
            Self::KnownDevice => !why.is_failures(),
        }
    }
}

/// The lockout state of a user: failure counters and block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lockout {
    /// Wrong passwords since the last right one (`login_error_counter`).
    pub passwords: u64,
    /// Failed codes since the last right one (`otp_error_counter`).
    pub otps: u64,
    /// The last block, if any; it may have expired.
    pub block: Option<Block>,
}

/// The kind of a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failed {
    /// A password.
    Password,
    /// A code: wrong, expired, or past its attempts.
    Otp,
}

impl Lockout {
    /// The active block.
    #[must_use]
    pub fn active_block(&self, now: Timestamp) -> Option<Block> {
        self.block.filter(|block| !block.until.is_some_and(|until| until.is_expired(now)))
    }

    /// The active block, if it applies to that lane.
    #[must_use]
    pub fn active_block_of(&self, lane: Lane, now: Timestamp) -> Option<Block> {
        self.active_block(now).filter(|block| lane.is_blocked_by(block.why))
    }

    /// Like [`Self::has_ended`], for what was issued in that lane.
    #[must_use]
    pub fn has_ended_in(&self, lane: Lane, issued_at: Timestamp) -> bool {
        self.has_ended(issued_at) && self.block.is_some_and(|block| lane.is_blocked_by(block.why))
    }

    /// Whether the last block, active or expired, invalidated what was issued at that time.
    #[must_use]
    pub fn has_ended(&self, issued_at: Timestamp) -> bool {
        self.block.is_some_and(|block| issued_at <= block.at)
    }

    /// The state after one more failure: past the policy's limit, the user is blocked. Once that block has expired,
    /// counting starts anew, and the block stays on record: what it invalidated stays invalid.
    #[must_use]
    pub fn failed(self, policy: &Policy, what: Failed, now: Timestamp) -> Self {
        let mut next = self;
        let (counter, forgiven, why) = match what {
            Failed::Password => (&mut next.passwords, policy.passwords, Why::Passwords),
            Failed::Otp => (&mut next.otps, policy.otps, Why::Otps),
        };
        *counter += 1;
        if *counter > forgiven && self.active_block(now).is_none() {
            // Whole seconds, as stored.
            let block = Block {
                why,
                at: now.deadline(0),
                until: policy.seconds.map(|seconds| now.deadline(seconds)),
            };
            // When a temporary block expires, its failures are reset.
            let counted = if block.until.is_some() { Self::default() } else { next };
            return Self {
                block: Some(block),
                ..counted
            };
        }
        next
    }

    /// Whether to notify the user of this block, which replaced `before`: once a day, however often the block expires
    /// and the guessing goes on.
    #[must_use]
    pub fn is_news(&self, before: &Self) -> bool {
        match (self.block, before.block) {
            (Some(block), Some(earlier)) => earlier.at.deadline(86_400).is_expired(block.at),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// The state after an administrator's block; `None` when the user is blocked already, whatever the cause.
    #[must_use]
    pub fn blocked(self, now: Timestamp) -> Option<Self> {
        match self.active_block(now) {
            Some(_) => None,
            None => self.decided(now),
        }
    }

    /// Like [`Self::blocked`], but it also replaces a block by failures; `None` when an administrator's block is
    /// active.
    #[must_use]
    pub fn decided(self, now: Timestamp) -> Option<Self> {
        let block = Block {
            why: Why::Decision,
            at: now.deadline(0),
            until: None,
        };
        let is_decided = self.active_block(now).is_some_and(|block| block.why == Why::Decision);
        (!is_decided).then_some(Self {
            block: Some(block),
            ..self
        })
    }

    /// The state after unblocking; `None` when no block is active.
    #[must_use]
    pub fn unblocked(self, now: Timestamp) -> Option<Self> {
        self.active_block(now).map(|_| Self::default())
    }

    /// The state after the right password: failed codes still count.
    #[must_use]
    pub fn knew_password(self) -> Self {
        Self { passwords: 0, ..self }
    }

    /// The state after the right code.
    #[must_use]
    pub fn knew_otp(self) -> Self {
        Self {
            block: self.block,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        passwords: 3,
        otps: 3,
        seconds: Some(100),
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn check(what: &[(Failed, u64)], expected: (u64, u64, Option<(Why, u64)>)) {
        let lockout = what
            .iter()
            .fold(Lockout::default(), |lockout, (what, seconds)| lockout.failed(&POLICY, *what, at(*seconds)));
        let block = lockout.block.map(|block| (block.why, block.at.seconds()));
        assert_eq!((lockout.passwords, lockout.otps, block), expected, "{what:?}");
    }

    #[test]
    fn one_failure_above_the_limit_blocks() {
        use Failed::{Otp, Password};
        check(&[(Password, 1), (Password, 2), (Password, 3)], (3, 0, None));
        check(&[(Password, 1), (Password, 2), (Password, 3), (Password, 4)], (0, 0, Some((Why::Passwords, 4))));
        check(&[(Otp, 1), (Otp, 2), (Password, 3), (Otp, 4), (Otp, 5)], (0, 0, Some((Why::Otps, 5))));
        // After a block has expired the count starts anew, and the block is still on record.
        let four = [(Otp, 1), (Otp, 2), (Otp, 3), (Otp, 4)];
        check(&[&four[..], &[(Otp, 104)]].concat(), (0, 1, Some((Why::Otps, 4))));
        let again = [(Otp, 104), (Otp, 105), (Otp, 106), (Otp, 107)];
        check(&[four, again].concat(), (0, 0, Some((Why::Otps, 107))));
    }

    fn blocked(policy: &Policy) -> Lockout {
        (0..4).fold(Lockout::default(), |lockout, _| lockout.failed(policy, Failed::Password, at(10)))
    }

    #[test]
    fn a_block_is_active_until_it_expires() {
        let lockout = blocked(&POLICY);
        assert!(lockout.active_block(at(109)).is_some() && lockout.active_block(at(110)).is_none());
        assert!(lockout.has_ended(at(10)) && !lockout.has_ended(at(11)));
        assert!(lockout.knew_otp().has_ended(at(10)), "what it has ended stays dead");
        let forever = Policy {
            seconds: None,
            ..POLICY
        };
        assert!(blocked(&forever).active_block(at(1_000_000_000)).is_some());
    }

    #[test]
    fn a_failure_does_not_extend_an_active_block() {
        let first = blocked(&POLICY);
        for seconds in [11, 109] {
            let again = (0..8).fold(first, |lockout, _| lockout.failed(&POLICY, Failed::Password, at(seconds)));
            assert_eq!(again.block, first.block, "{seconds}");
        }
        // Where a block lasts until it is removed, every failure is one above the limit.
        let forever = Policy {
            seconds: None,
            ..POLICY
        };
        let first = blocked(&forever);
        assert_eq!(first.failed(&forever, Failed::Password, at(20)).block, first.block);
    }

    #[test]
    fn a_block_by_failures_does_not_apply_to_known_devices() {
        for (why, lane, applies) in [
            (Why::Passwords, Lane::Anonymous, true),
            (Why::Otps, Lane::Anonymous, true),
            (Why::Decision, Lane::Anonymous, true),
            (Why::Passwords, Lane::KnownDevice, false),
            (Why::Otps, Lane::KnownDevice, false),
            (Why::Decision, Lane::KnownDevice, true),
        ] {
            let block = Block {
                why,
                at: at(10),
                until: Some(at(20)),
            };
            let lockout = Lockout {
                block: Some(block),
                ..Lockout::default()
            };
            assert_eq!(lockout.active_block_of(lane, at(19)).is_some(), applies, "{why:?} {lane:?}");
            assert_eq!(lockout.active_block_of(lane, at(20)), None, "{why:?} {lane:?}");
            assert_eq!(lockout.has_ended_in(lane, at(10)), applies, "{why:?} {lane:?}");
            assert!(!lockout.has_ended_in(lane, at(11)), "{why:?} {lane:?}");
        }
    }

    #[test]
    fn a_reason_round_trips() {
        for why in [Why::Decision, Why::Passwords, Why::Otps] {
            assert_eq!(Why::parse(why.name()), Some(why));
            assert_eq!(why.is_failures(), why != Why::Decision);
        }
        assert_eq!(Why::parse(""), None);
    }

    #[test]
    fn an_administrators_block_replaces_one_by_failures_and_is_idempotent() {
        let decided = blocked(&POLICY).decided(at(20)).expect("failures are no decision");
        assert_eq!(decided.block.map(|block| (block.why, block.until)), Some((Why::Decision, None)));
        assert_eq!(decided.decided(at(30)), None);
        // Unless replacement is requested, a block by failures is a block like any other, until it expires.
        assert_eq!(blocked(&POLICY).blocked(at(109)), None);
        let renewed = blocked(&POLICY).blocked(at(110)).and_then(|lockout| lockout.block);
        assert_eq!(renewed.map(|block| (block.why, block.at)), Some((Why::Decision, at(110))));
        assert_eq!(decided.blocked(at(30)), None);
        assert_eq!(Lockout::default().blocked(at(20)), Lockout::default().decided(at(20)));
        assert_eq!(decided.unblocked(at(30)), Some(Lockout::default()));
        assert_eq!(Lockout::default().unblocked(at(30)), None);
        assert_eq!(blocked(&POLICY).unblocked(at(110)), None, "it is over by itself");
    }

    #[test]
    fn the_owner_is_notified_of_a_block_once_a_day() {
        let first = blocked(&POLICY);
        assert!(first.is_news(&Lockout::default()));
        let again = |seconds| (0..4).fold(first, |lockout, _| lockout.failed(&POLICY, Failed::Password, at(seconds)));
        assert!(!again(86_409).is_news(&first) && again(86_410).is_news(&first));
    }

    #[test]
    fn a_correct_password_does_not_reset_failed_codes() {
        let lockout = Lockout {
            passwords: 2,
            otps: 3,
            block: None,
        };
        assert_eq!(
            lockout.knew_password(),
            Lockout {
                passwords: 0,
                ..lockout
            }
        );
        assert_eq!(lockout.knew_otp(), Lockout::default());
    }
}
