//! Key rotation (R08): which key may be added, and when an old one is no longer needed.

use super::key::Stored;
use crate::domain::time::Timestamp;

/// Why a key is not added, or not retired.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The highest id signs, so a new one must be higher than this.
    NotHighest(u32),
    /// It is the newest key: without it none would sign.
    Newest,
    /// What it signed or encrypted may be valid until then.
    NeededUntil(Timestamp),
}

/// The context of a rotation, besides the keys themselves.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Lifetime in seconds of what a key has signed or encrypted.
    pub life: u64,
    /// For how many seconds a function keeps using the keys that it has read.
    pub reread: u64,
    /// When the keys were changed last: a key without a start time has signed since then.
    pub changed_at: Timestamp,
}

/// Whether a key of that id is still to be added.
///
/// # Errors
/// [`Refusal::NotHighest`].
pub fn is_to_be_added(keys: &[Stored], id: u32) -> Result<bool, Refusal> {
    if keys.iter().any(|key| key.id == id) {
        return Ok(false);
    }
    match keys.iter().map(|key| key.id).max() {
        Some(highest) if id <= highest => Err(Refusal::NotHighest(highest)),
        Some(_) | None => Ok(true),
    }
}

/// Whether the key of that id exists and may be retired: another one has signed in its place for so long that
/// everything it made has expired.
///
/// # Errors
/// [`Refusal::Newest`], [`Refusal::NeededUntil`].
pub fn is_to_be_retired(keys: &[Stored], id: u32, terms: Terms, now: Timestamp) -> Result<bool, Refusal> {
    if !keys.iter().any(|key| key.id == id) {
        return Ok(false);
    }
    let newer = keys.iter().filter(|key| key.id > id);
    let replaced = newer.map(|key| key.signs_from.unwrap_or(terms.changed_at)).min();
    let replaced = replaced.ok_or(Refusal::Newest)?;
    let end = replaced.deadline(terms.life + terms.reread);
    match end.is_expired(now) {
        true => Ok(true),
        false => Err(Refusal::NeededUntil(end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::crypto::secret::Secret;

    fn keys(of: &[(u32, Option<u64>)]) -> Vec<Stored> {
        let stored = |(id, signs_from): &(u32, Option<u64>)| Stored {
            id: *id,
            text: Secret::new(String::new()),
            signs_from: signs_from.map(Timestamp::from_seconds),
        };
        of.iter().map(stored).collect()
    }

    #[test]
    fn a_new_key_has_the_highest_id() {
        let check = |of: &[(u32, Option<u64>)], id, expected| {
            assert_eq!(is_to_be_added(&keys(of), id), expected, "{id} to {of:?}");
        };
        check(&[], 1, Ok(true));
        check(&[(1, None)], 2, Ok(true));
        check(&[(1, None), (7, Some(9))], 8, Ok(true));
        check(&[(1, None), (7, Some(9))], 7, Ok(false));
        check(&[(1, None), (7, Some(9))], 1, Ok(false));
        check(&[(1, None), (7, Some(9))], 6, Err(Refusal::NotHighest(7)));
        check(&[(2, None)], 1, Err(Refusal::NotHighest(2)));
    }

    #[test]
    fn an_old_key_is_retired_when_it_is_no_longer_needed() {
        let terms = Terms {
            life: 100,
            reread: 10,
            changed_at: Timestamp::from_seconds(1000),
        };
        let check = |of: &[(u32, Option<u64>)], id, now, expected| {
            let found = is_to_be_retired(&keys(of), id, terms, Timestamp::from_seconds(now));
            assert_eq!(found, expected, "{id} of {of:?} at {now}");
        };
        let needed = |until| Err(Refusal::NeededUntil(Timestamp::from_seconds(until)));
        let two = [(1, None), (2, Some(2000))];
        check(&two, 1, 2109, needed(2110));
        check(&two, 1, 2110, Ok(true));
        check(&two, 2, 9999, Err(Refusal::Newest));
        check(&two, 3, 9999, Ok(false));
        // The first of its successors is the one that took over.
        let three = [(1, None), (2, Some(2000)), (3, Some(3000))];
        check(&three, 1, 2110, Ok(true));
        check(&three, 2, 2110, needed(3110));
        check(&[(1, None), (2, None)], 1, 1109, needed(1110));
        check(&[(1, None), (2, None)], 1, 1110, Ok(true));
    }
}
