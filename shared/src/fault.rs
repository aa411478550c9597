//! Floor 0: what broke on our side. Opaque to callers: logged once, where the request ends, and a bare 5xx outside.

use std::fmt;

use crate::domain::secret::NoEntropy;

/// Something of ours failed: the store, the generator, a row, a bug.
#[derive(Debug)]
pub struct Fault(String);

impl Fault {
    /// A fault in words for the operator's log: what was tried, and how it failed. Never with a value from a request
    /// or a row in it.
    #[must_use]
    pub fn new(words: String) -> Self {
        Self(words)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<NoEntropy> for Fault {
    fn from(_: NoEntropy) -> Self {
        Self("the random generator failed".into())
    }
}
