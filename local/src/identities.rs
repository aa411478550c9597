//! The state of the demo identities.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::Value;

/// The demo tenant's domain.
pub(crate) const DOMAIN: &str = "pbx.era-platform.ru";
/// The users among the identities.
pub(crate) const PEOPLE: [&str; 2] = ["admin", "user"];

/// The demo identities, once they exist.
#[derive(Debug)]
pub(crate) struct Identities {
    made: Mutex<Made>,
    /// Held while tokens are renewed.
    pub(crate) renewing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) shown: Option<Value>,
    at: u64,
    /// Whose tokens have been revoked since they were issued: keys of `shown`.
    pub(crate) ended: BTreeSet<&'static str>,
    /// The phone that the demo user has requested last, until its code is confirmed.
    pub(crate) wanted_phone: Option<Value>,
}

impl Identities {
    /// Restores the state from a data directory, if there is one.
    pub(crate) fn new(shown: Option<Value>, at: u64) -> Self {
        Self {
            made: Mutex::new(Made {
                shown,
                at,
                ended: BTreeSet::new(),
                wanted_phone: None,
            }),
            renewing: tokio::sync::Mutex::default(),
        }
    }

    /// The identities as shown.
    pub(crate) fn shown(&self) -> Option<Value> {
        self.made().shown.clone()
    }

    /// When the tokens were issued, in seconds of the system's clock.
    pub(crate) fn made_at(&self) -> u64 {
        self.made().at
    }

    pub(crate) fn set(&self, shown: Value, at: u64) {
        let mut made = self.made();
        (made.shown, made.at) = (Some(shown), at);
    }

    pub(crate) fn made(&self) -> std::sync::MutexGuard<'_, Made> {
        self.made.lock().expect("no holder of this lock panics")
    }
}

impl Made {
    /// Records a password change by a demo user: it revokes the user's tokens.
    pub(crate) fn has_password(&mut self, user: &Value, password: &Value) -> bool {
        let Some(shown) = &mut self.shown else { return false };
        if shown["domain"] != user["domain"] {
            return false;
        }
        let Some(who) = PEOPLE.into_iter().find(|who| shown[*who]["login"] == user["login"]) else {
            return false;
        };
        shown[who]["password"] = password.clone();
        self.ended.insert(who);
        // If they are not requested before the next start, that start renews all tokens.
        self.at = 0;
        true
    }

    /// Records that the code to the last requested phone was confirmed, if it is the demo user's.
    pub(crate) fn has_phone(&mut self, user_id: &Value) -> bool {
        match &mut self.shown {
            Some(shown) if shown["user"]["user_id"] == *user_id => match self.wanted_phone.take() {
                Some(phone) => {
                    shown["user"]["phone"] = phone;
                    true
                }
                None => false,
            },
            _ => false,
        }
    }
}
