//! Key rotation. The keys' texts are never returned or logged.

use countersign_shared::{
    domain::{
        crypto::{
            key::{Purpose, Stored},
            rotation::{self, Refusal, Terms},
            secret::random_text,
        },
        time::Timestamp,
    },
    fault::Fault,
    observe::Outcome,
    runtime::keys::{Contents, FRESH_FOR, KeyShelf},
};
use rand::rngs::SysRng;
use serde_json::{Value, json};

use crate::{
    command::{NewKey, OldKey, Which},
    handler::Operator,
    outcome::{Failed, Run},
};

/// Earliest time at which a new key may sign, in seconds after its creation: functions read keys again every five
/// minutes, and one read may fail.
const SOONEST: u64 = 2 * FRESH_FOR;

/// Latest time at which it must sign, in seconds after its creation: 30 days.
const LATEST: u64 = 30 * 86_400;

/// The alphabet of a key, and its length, as in the template.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH: usize = 64;

impl Operator {
    /// Adds a key that will sign. An existing key of that id is kept.
    pub async fn rotate_key(&self, new: &NewKey, run: Run<'_>) -> Result<Value, Failed> {
        match new.keys {
            Which::SupportPin => self.rotate(&self.support_pin_keys, new, run).await,
            Which::Passcode => self.rotate(&self.passcode_keys, new, run).await,
            Which::Otp => self.rotate(&self.otp_keys, new, run).await,
            Which::Answer => self.rotate(&self.answer_keys, new, run).await,
            Which::Verify => self.rotate(&self.verify_keys, new, run).await,
            Which::Factor => self.rotate(&self.factor_keys, new, run).await,
        }
    }

    /// Removes a key that is no longer needed, or that must not be used any more, whatever still depends on it.
    pub async fn retire_key(&self, old: &OldKey, run: Run<'_>) -> Result<Value, Failed> {
        match old.keys {
            Which::SupportPin => self.retire(&self.support_pin_keys, old, run).await,
            Which::Passcode => self.retire(&self.passcode_keys, old, run).await,
            Which::Otp => self.retire(&self.otp_keys, old, run).await,
            Which::Answer => self.retire(&self.answer_keys, old, run).await,
            Which::Verify => self.retire(&self.verify_keys, old, run).await,
            Which::Factor => self.retire(&self.factor_keys, old, run).await,
        }
    }

    async fn rotate<P: Purpose>(&self, shelf: &KeyShelf<P>, new: &NewKey, run: Run<'_>) -> Result<Value, Failed> {
        let wait = match (new.at_once, new.signs_after_seconds) {
            (true, None) => 0,
            (true, Some(_)) => return Err("at_once and signs_after_seconds say two different things".into()),
            (false, seconds) => seconds.unwrap_or(SOONEST),
        };
        if !new.at_once && !(SOONEST..=LATEST).contains(&wait) {
            let words =
                format!("signs_after_seconds is {SOONEST} to {LATEST}; a key that signs sooner is made \"at_once\"");
            return Err(Failed::Refused(words));
        }
        let found = shelf.read().await?;
        let changed = rotation::is_to_be_added(&found.keys, new.new_id).map_err(words)?;
        let mut keys = found.keys.clone();
        if changed {
            keys.push(Stored {
                id: new.new_id,
                text: random_text(&mut SysRng, ALPHABET, LENGTH).map_err(Fault::from)?,
                signs_from: Some(run.now.deadline(wait)),
            });
            if !run.dry {
                self.replace(shelf, (new.keys, Outcome::KeyRotated), &found, &keys, run).await?;
            }
        }
        Ok(shown(new.keys, new.new_id, &keys, changed))
    }

    async fn retire<P: Purpose>(&self, shelf: &KeyShelf<P>, old: &OldKey, run: Run<'_>) -> Result<Value, Failed> {
        let found = shelf.read().await?;
        let terms = Terms {
            life: P::LONGEST_LIFE,
            reread: FRESH_FOR,
            changed_at: found.changed_at,
        };
        let changed = match rotation::is_to_be_retired(&found.keys, old.id, terms, run.now) {
            Err(Refusal::NeededUntil(_)) if old.force => true,
            judged => judged.map_err(words)?,
        };
        let mut keys = found.keys.clone();
        keys.retain(|key| key.id != old.id);
        if changed && !run.dry {
            self.replace(shelf, (old.keys, Outcome::KeyRetired), &found, &keys, run).await?;
        }
        Ok(shown(old.keys, old.id, &keys, changed))
    }

    /// Replaces the keys. No transaction contains a secret: an event says that the change begins, and another one that
    /// it was made.
    async fn replace<P: Purpose>(
        &self,
        shelf: &KeyShelf<P>,
        (which, what): (Which, Outcome),
        found: &Contents,
        keys: &[Stored],
        run: Run<'_>,
    ) -> Result<(), Failed> {
        let subject = || format!("keys:{}", which.name());
        self.audit.before(run, Outcome::KeyChangeBegun.of(subject())).await?;
        if !shelf.replace(found, keys).await? {
            return Err("the keys were changed meanwhile: send the command again".into());
        }
        self.audit.before(run, what.of(subject())).await?;
        Ok(())
    }
}

fn words(refusal: Refusal) -> Failed {
    Failed::Refused(match refusal {
        Refusal::NotHighest(highest) => format!("the highest id signs: new_id must be above {highest}"),
        Refusal::Newest => "it is the newest key, which signs or will: rotate_key makes another one first".into(),
        Refusal::NeededUntil(end) => format!(
            "what it made may be good until {}; with \"force\":true it goes at once, and all of that with it",
            end.iso()
        ),
    })
}

/// The key that the command was about, and all current keys.
fn shown(which: Which, id: u32, keys: &[Stored], changed: bool) -> Value {
    let found = keys.iter().find(|key| key.id == id);
    let signs_from = found.and_then(|key| key.signs_from).map(Timestamp::iso);
    let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
    json!({ "keys": which.name(), "id": id, "signs_from": signs_from, "ids": ids, "changed": changed })
}
