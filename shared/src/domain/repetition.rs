//! Calls that come again: the same `Idempotency-Key` and body within a day get the same answer, and nothing is done
//! twice.

use sha2::{Digest, Sha256};

use super::{secret::framed, time::Timestamp};

/// For how long an answer is remembered, in seconds (contracts.md §5).
pub const MEMORY: u64 = 86_400;

/// For how long a call may be under way, in seconds: longer than any function may run. After that it has died.
pub const UNDER_WAY: u64 = 15;

/// The same call is under way: its answer is not known yet.
#[derive(Clone, Copy, Debug)]
pub struct UnderWay;

/// What is known of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Which call: see [`key`].
    pub key: [u8; 32],
    /// The invocation that took it on.
    pub by: String,
    /// How far it is.
    pub state: State,
    /// From this moment on it is forgotten.
    pub ends_at: Timestamp,
}

/// How far a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not answered yet.
    UnderWay,
    /// Answered.
    Answered {
        /// The status.
        status: u16,
        /// The body.
        body: String,
    },
}

impl Remembered {
    /// A call that begins now.
    #[must_use]
    pub fn begun(key: [u8; 32], invocation: &str, now: Timestamp) -> Self {
        Self {
            key,
            by: invocation.to_owned(),
            state: State::UnderWay,
            ends_at: now.deadline(UNDER_WAY),
        }
    }

    /// The same call, answered.
    #[must_use]
    pub fn answered(self, status: u16, body: String, now: Timestamp) -> Self {
        Self {
            state: State::Answered { status, body },
            ends_at: now.deadline(MEMORY),
            ..self
        }
    }
}

/// What makes two calls the same: the function, the caller's credential (empty for the public), the caller's key and
/// the body. Only this digest is stored: with a credential in it, no password in a body can be guessed from it.
#[must_use]
pub fn key(function: &str, credential: &str, key: &str, body: &[u8]) -> [u8; 32] {
    let parts = [
        b"repetition",
        function.as_bytes(),
        credential.as_bytes(),
        key.as_bytes(),
        body,
    ];
    Sha256::digest(framed(&parts)).into()
}
