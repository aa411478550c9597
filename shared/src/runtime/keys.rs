//! Floor 1: keys from Secrets Manager, read again periodically, so that they rotate without a deployment.

mod shelf;

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt::Debug,
    rc::Rc,
};

use aws_sdk_secretsmanager::{Client, error::ProvideErrorMetadata};
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};

pub use self::shelf::{Contents, KeyShelf};

use crate::{
    domain::{
        crypto::{
            key::{Keyring, Purpose, Stored},
            secret::Secret,
        },
        time::Timestamp,
    },
    observe,
};

/// Keys are read again after this many seconds. A new key must not sign before every function has read it: see
/// `signs_from`.
pub const FRESH_FOR: u64 = 300;

/// Seconds until a failed read is retried.
const TRY_AGAIN_AFTER: u64 = 30;

/// A key in its secret: the text alone, or with the time from which it signs, in seconds since 1970.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Dated(Dated),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Dated {
    key: String,
    signs_from: u64,
}

/// The live keys of one purpose.
#[derive(Debug)]
pub struct Keys<P> {
    cached: Rc<Cached<P>>,
}

#[derive(Debug)]
struct Cached<P> {
    client: Client,
    secret: String,
    variable: &'static str,
    ring: RefCell<Option<Keyring<P>>>,
    stale_at: Cell<Timestamp>,
}

/// A secret to load before the first call.
pub(crate) trait Load: Debug {
    /// Loads it.
    ///
    /// # Errors
    /// A description of the problem, without any part of the secret.
    fn load(&self, now: Timestamp) -> LocalBoxFuture<'_, Result<(), String>>;

    /// The environment variable that names the secret.
    fn variable(&self) -> &'static str;

    /// This value as [`Any`], to recover its type.
    fn any(self: Rc<Self>) -> Rc<dyn Any>;
}

impl<P: Purpose> Load for Cached<P> {
    fn load(&self, now: Timestamp) -> LocalBoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let stored = read(&self.client, &self.secret).await?;
            let ring = Keyring::new(stored, now).map_err(|unfit| format!("has unfit keys: {unfit:?}"))?;
            self.ring.replace(Some(ring));
            self.stale_at.set(now.deadline(FRESH_FOR));
            Ok(())
        })
    }

    fn variable(&self) -> &'static str {
        self.variable
    }

    fn any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

impl<P: Purpose> Keys<P> {
    /// The keys in a secret that a variable names; not loaded yet.
    pub(crate) fn new(client: Client, secret: String, variable: &'static str) -> Self {
        Self {
            cached: Rc::new(Cached {
                client,
                secret,
                variable,
                ring: RefCell::new(None),
                stale_at: Cell::new(Timestamp::from_millis(0)),
            }),
        }
    }

    /// The same keys, if these are of the same purpose.
    pub(crate) fn shared(loading: &Rc<dyn Load>) -> Option<Self> {
        let cached = loading.clone().any().downcast().ok()?;
        Some(Self { cached })
    }

    /// The part that loads them.
    pub(crate) fn loading(&self) -> Rc<dyn Load> {
        self.cached.clone()
    }

    /// The keys as they are now. If they cannot be read again, the known ones stay in use: signatures of a key that is
    /// not known yet are refused, and nothing else changes.
    pub async fn at(&self, now: Timestamp) -> Keyring<P> {
        let cached = &self.cached;
        if cached.stale_at.get().is_expired(now)
            && let Err(why) = cached.load(now).await
        {
            observe::degraded(&format!("{} goes on with the keys that it had: their secret {why}", P::NAME));
            cached.stale_at.set(now.deadline(TRY_AGAIN_AFTER));
        }
        let ring = cached.ring.borrow();
        ring.as_ref().expect("a function that could not load its keys serves no call").at(now)
    }
}

/// The keys in a secret, as they are stored. Boxed, so that the call's code is in the library and not in every function.
fn read<'a>(client: &'a Client, secret: &'a str) -> LocalBoxFuture<'a, Result<Vec<Stored>, String>> {
    Box::pin(async move {
        let answer = client.get_secret_value().secret_id(secret).send().await;
        // The error code may be logged: it is about the secret and contains nothing of it.
        let answer = answer.map_err(|error| format!("cannot be read: {}", error.code().unwrap_or("no answer")))?;
        stored(answer.secret_string().unwrap_or_default())
    })
}

/// The keys in a secret; `Err` describes what is invalid.
fn stored(text: &str) -> Result<Vec<Stored>, String> {
    let forms: BTreeMap<u32, Form> =
        serde_json::from_str(text).map_err(|_| "is not JSON like {\"1\":\"…\"}".to_owned())?;
    let stored = forms.into_iter().map(|(id, form)| match form {
        Form::Text(text) => Stored {
            id,
            text: Secret::new(text),
            signs_from: None,
        },
        Form::Dated(Dated { key, signs_from }) => Stored {
            id,
            text: Secret::new(key),
            signs_from: Some(Timestamp::from_seconds(signs_from)),
        },
    });
    Ok(stored.collect())
}

/// The keys as the text of a secret.
fn written(keys: &[Stored]) -> Secret {
    let form = |key: &Stored| {
        let text = key.text.expose().to_owned();
        let form = match key.signs_from {
            None => Form::Text(text),
            Some(from) => Form::Dated(Dated {
                key: text,
                signs_from: from.seconds(),
            }),
        };
        (key.id, form)
    };
    let forms: BTreeMap<u32, Form> = keys.iter().map(form).collect();
    Secret::new(serde_json::to_string(&forms).expect("numbers and texts make JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip() {
        let text = r#"{"1":"a text","2":{"key":"another","signs_from":1795325548}}"#;
        let keys = stored(text).expect("keys");
        assert_eq!(written(&keys).expose(), text);
        for text in ["", "[]", r#"{"x":"a"}"#, r#"{"1":{"key":"a"}}"#, r#"{"1":2}"#] {
            assert!(stored(text).is_err(), "{text}");
        }
    }
}
