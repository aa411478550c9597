//! Calls that come again: the same `Idempotency-Key` and body within a day get the same answer, and nothing is done
//! twice.

use hmac::{Hmac, KeyInit, Mac};
use rand::TryCryptoRng;
use sha2::{Digest, Sha256};

use super::{
    key::{Answers, Keyring},
    seal::{Sealed, Unreadable},
    secret::{NoEntropy, Secret, framed},
    time::Timestamp,
};

/// For how long an answer is remembered, in seconds (contracts.md §5).
pub const MEMORY: u64 = 86_400;

/// For how long a call may be under way, in seconds: longer than any function may run. After that it has died.
pub const UNDER_WAY: u64 = 15;

/// The same call is under way: its answer is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// For `Retry-After`: after this many seconds the call is answered, or its claim has expired.
    pub retry_after: u64,
}

/// What is known of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Which call: see [`Keeping::key`].
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
        body: Body,
    },
}

/// An answer's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// As it is.
    Plain(String),
    /// Encrypted: it holds what its receiver alone may know.
    Sealed(Sealed),
}

/// How answers are remembered.
#[derive(Clone, Copy, Debug)]
pub enum Keeping<'a> {
    /// As they are.
    Plain,
    /// Encrypted, and found by a keyed digest: not even a body with a password can be guessed from that.
    Sealed(&'a Keyring<Answers>),
}

impl Keeping<'_> {
    /// What makes two calls the same: the function, the caller's credential (empty for the public), the caller's key and
    /// the body. Only this digest is stored. Where it is not keyed, a credential must be in it if a password is in the body.
    #[must_use]
    pub fn key(self, function: &str, credential: &str, key: &str, body: &[u8]) -> [u8; 32] {
        let parts = framed(&[
            b"repetition",
            function.as_bytes(),
            credential.as_bytes(),
            key.as_bytes(),
            body,
        ]);
        match self {
            Self::Plain => Sha256::digest(parts).into(),
            Self::Sealed(keys) => {
                let mut mac =
                    Hmac::<Sha256>::new_from_slice(keys.signing().bytes()).expect("HMAC takes a key of any length");
                mac.update(&parts);
                mac.finalize().into_bytes().into()
            }
        }
    }

    /// The body to store in the row of that key.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn close(self, key: &[u8; 32], body: &str, rng: &mut impl TryCryptoRng) -> Result<Body, NoEntropy> {
        match self {
            Self::Plain => Ok(Body::Plain(body.to_owned())),
            Self::Sealed(keys) => Sealed::close(keys, &[key], &Secret::new(body.to_owned()), rng).map(Body::Sealed),
        }
    }

    /// The body that was stored in the row of that key.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn open(self, key: &[u8; 32], body: &Body) -> Result<String, Unreadable> {
        match (self, body) {
            (Self::Plain, Body::Plain(body)) => Ok(body.clone()),
            (Self::Sealed(keys), Body::Sealed(sealed)) => {
                sealed.open(keys, &[key]).map(|body| body.expose().to_owned())
            }
            (Self::Plain, Body::Sealed(_)) | (Self::Sealed(_), Body::Plain(_)) => Err(Unreadable),
        }
    }
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

    /// What a repetition at `now` is told while this call is under way. An expired claim is taken over, so the time that is
    /// left of it is the longest wait.
    #[must_use]
    pub fn under_way(&self, now: Timestamp) -> UnderWay {
        UnderWay {
            retry_after: self.ends_at.seconds().saturating_sub(now.seconds()).max(1),
        }
    }

    /// The same call, answered.
    #[must_use]
    pub fn answered(self, status: u16, body: Body, now: Timestamp) -> Self {
        Self {
            state: State::Answered { status, body },
            ends_at: now.deadline(MEMORY),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::key::tests::ring;

    #[test]
    fn a_sealed_answer_opens_in_its_own_row() {
        let (keys, rotated) = (ring(&[1]), ring(&[1, 2]));
        let keeping = Keeping::Sealed(&keys);
        let key = keeping.key("f", "", "key", b"{}");
        let body = keeping.close(&key, "a token", &mut SysRng).expect("entropy");
        assert_eq!(keeping.open(&key, &body).expect("our own"), "a token");
        assert_eq!(
            Keeping::Sealed(&rotated).open(&key, &body).expect("an older key"),
            "a token"
        );
        assert!(keeping.open(&[0; 32], &body).is_err(), "another row");
        assert!(Keeping::Plain.open(&key, &body).is_err());
        assert!(!format!("{body:?}").contains("a token"));
    }

    #[test]
    fn the_wait_for_a_call_under_way_ends_with_its_claim() {
        let claim = Remembered::begun([0; 32], "i", Timestamp::from_millis(100_900));
        for (millis, retry_after) in [
            (100_900, 15),
            (101_000, 14),
            (113_999, 2),
            (114_000, 1),
            (114_999, 1),
            // A clock that is ahead.
            (120_000, 1),
            // A clock that is behind.
            (99_999, 16),
        ] {
            let now = Timestamp::from_millis(millis);
            assert_eq!(claim.under_way(now), UnderWay { retry_after }, "{millis}");
        }
    }

    #[test]
    fn calls_are_the_same_in_everything_or_other_ones() {
        let keys = ring(&[1]);
        for keeping in [Keeping::Plain, Keeping::Sealed(&keys)] {
            let first = keeping.key("f", "c", "k", b"b");
            assert_eq!(first, keeping.key("f", "c", "k", b"b"));
            for other in [
                keeping.key("g", "c", "k", b"b"),
                keeping.key("f", "", "ck", b"b"),
                keeping.key("f", "c", "l", b"b"),
                keeping.key("f", "c", "k", b""),
            ] {
                assert_ne!(first, other);
            }
        }
        let keyless = Keeping::Plain.key("f", "c", "k", b"b");
        assert_ne!(keyless, Keeping::Sealed(&keys).key("f", "c", "k", b"b"));
    }
}
