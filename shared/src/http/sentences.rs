//! Messages about invalid values that several dialects share: the end of a sentence that begins with the field's name.

use crate::domain::{
    password::{Alphabet, Weak},
    people::name::Malformed,
};

/// Why a name is malformed.
#[must_use]
pub fn malformed(malformed: Malformed) -> &'static str {
    match malformed {
        Malformed::Empty => "is required",
        Malformed::TooLong => "is too long",
        Malformed::InvalidSymbols => "contains invalid symbols",
        Malformed::MixedScripts => "mixes letters of several scripts",
    }
}

/// Why a password is rejected; `alphabet` lists the permitted symbols, if limited.
#[must_use]
pub fn weak(weak: Weak, alphabet: Option<&Alphabet>) -> String {
    match (weak, alphabet) {
        (Weak::InvalidSymbols, Some(alphabet)) => format!("contains invalid symbols. Expected: {}", alphabet.as_str()),
        (Weak::InvalidSymbols, None) => "contains invalid symbols".to_owned(),
        (Weak::TooShort { min }, _) => format!("is too short. Expected: at least {min} characters"),
        (Weak::TooLong { max }, _) => format!("is too long. Expected: at most {max} characters"),
        (Weak::Common, _) => "is one of the most common passwords".to_owned(),
    }
}
