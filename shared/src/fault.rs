//! Floor 0: what broke on our side. Opaque to callers: logged once, where the request ends, and a bare 5xx outside.

use std::fmt;

use crate::domain::secret::NoEntropy;

/// Something of ours failed: the store, the generator, a row, a bug.
#[derive(Debug)]
pub struct Fault {
    words: String,
    passing: bool,
}

/// After how many seconds another try is worth it when a dependency failed, or a message could not be sent.
pub const TRY_AGAIN_AFTER: u64 = 5;

impl Fault {
    /// A fault in words for the operator's log: what was tried, and how it failed. Never with a value from a request
    /// or a row in it.
    #[must_use]
    pub fn new(words: String) -> Self {
        Self { words, passing: false }
    }

    /// The same for a dependency that failed: it could not be reached, gave no answer in time, was overloaded, or others were
    /// in the way every time. The request was a good one, and the caller may try again.
    #[must_use]
    pub fn passing(words: String) -> Self {
        Self { words, passing: true }
    }

    /// Whether a dependency failed: outside that is a 503 with `Retry-After`, and a 500 otherwise (ASVS 16.5.2).
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.passing
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl From<NoEntropy> for Fault {
    fn from(_: NoEntropy) -> Self {
        Self::passing("the random generator failed".into())
    }
}
