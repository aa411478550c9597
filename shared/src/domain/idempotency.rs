//! Idempotency: calls with the same `Idempotency-Key` and body within a day get the same answer, and take
//! effect once.

use hmac::{Hmac, KeyInit, Mac};
use rand::TryCryptoRng;
use sha2::{Digest, Sha256};

use super::{
    auth::{access::Principal, client::Client, lockout::Lane},
    crypto::{
        encryption::{Encrypted, Unreadable},
        key::{Answers, Keyring, Purpose},
        secret::{Digest as SecretDigest, NoEntropy, Secret, framed},
    },
    people::{
        id::{ClientId, UserId},
        user::User,
    },
    time::Timestamp,
};

/// How long a response is stored for retries, in seconds (docs/contract.md, All routes).
pub const MEMORY: u64 = Answers::LONGEST_LIFE;

/// How long a call may be in progress, in seconds: longer than any function may run. A claim older than that has
/// expired.
pub const UNDER_WAY: u64 = 15;

/// The same call is still in progress: its response is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InProgress {
    /// For `Retry-After`: after this many seconds the call is answered, or its claim has expired.
    pub retry_after: u64,
}

/// The idempotency record of a call.
#[derive(Clone, Debug)]
pub struct IdempotencyRecord {
    /// The key of the call: see [`Storage::key`].
    pub key: [u8; 32],
    /// The invocation that claimed it.
    pub by: String,
    /// The state of the call.
    pub state: State,
    /// When the record expires.
    pub ends_at: Timestamp,
}

/// The state of a call.
#[derive(Clone, Debug)]
pub enum State {
    /// Not answered yet.
    InProgress,
    /// Answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Body,
        /// The owner with whose tokens the stored response expires; `None` for a response that does not depend on the
        /// caller.
        issued: Option<Issued>,
    },
}

/// The owner of a stored response, and the state it was given under: it is invalidated with its owner's tokens.
#[derive(Clone, Debug)]
pub enum Issued {
    /// A response to or about a user.
    User {
        /// The user.
        id: UserId,
        /// The user's token generation after the call.
        generation: u64,
        /// When the call was answered, in whole seconds.
        at: Timestamp,
        /// Which blocks end it: those of a known device's login are fewer.
        lane: Lane,
    },
    /// A response to a client.
    Client {
        /// The client.
        id: ClientId,
        /// The client's token generation.
        generation: u64,
        /// The digest of the client secret that authenticated the call.
        secret: SecretDigest,
    },
}

impl Issued {
    /// A response to a user whose current token generation is this one.
    #[must_use]
    pub fn to_user(id: UserId, generation: u64, now: Timestamp) -> Self {
        Self::User {
            id,
            generation,
            at: now.deadline(0),
            lane: Lane::Anonymous,
        }
    }

    /// The same, for a call in that lane.
    #[must_use]
    pub fn in_lane(self, of_call: Lane) -> Self {
        match self {
            Self::User { id, generation, at, .. } => Self::User {
                id,
                generation,
                at,
                lane: of_call,
            },
            Self::Client { .. } => self,
        }
    }

    /// A response about a user as read.
    #[must_use]
    pub fn about(user: &User, now: Timestamp) -> Self {
        Self::to_user(user.id, user.token_generation, now)
    }

    /// A response about a user whose password was just set, which revoked everything issued before.
    #[must_use]
    pub fn with_new_password(read: &User, now: Timestamp) -> Self {
        Self::to_user(read.id, read.token_generation + 1, now)
    }

    /// A response to a client that authenticated with its secret.
    #[must_use]
    pub fn to_client(client: &Client) -> Self {
        Self::Client {
            id: client.id.clone(),
            generation: client.token_generation,
            secret: client.secret.clone(),
        }
    }

    /// Whether the stored response is invalid (R72): its owner was deleted, is blocked, was blocked since, or has had
    /// all tokens revoked; or the client's secret was rotated. A response that a block ended stays invalid when the
    /// block expires.
    #[must_use]
    pub fn has_ended(&self, owner: Option<&Principal>, now: Timestamp) -> bool {
        match (self, owner) {
            (_, None) => true,
            (
                Self::User {
                    id,
                    generation,
                    at,
                    lane,
                },
                Some(Principal::User(user)),
            ) => {
                let lockout = &user.lockout;
                user.id != *id
                    || user.token_generation != *generation
                    || lockout.active_block_of(*lane, now).is_some()
                    || lockout.has_ended_in(*lane, *at)
            }
            (Self::Client { id, generation, secret }, Some(Principal::Client(client))) => {
                client.id != *id || client.token_generation != *generation || !client.secret.matches(secret)
            }
            (Self::User { .. }, Some(Principal::Client(_))) | (Self::Client { .. }, Some(Principal::User(_))) => true,
        }
    }
}

/// The body of a stored response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// In plain text.
    Plain(String),
    /// Encrypted: it holds data that only its recipient may know.
    Encrypted(Encrypted),
}

/// How responses are stored.
#[derive(Clone, Copy, Debug)]
pub enum Storage<'a> {
    /// In plain text.
    Plain,
    /// Encrypted, under a keyed digest: even a password in the request body is not open to a brute-force attack on the
    /// key.
    Encrypted(&'a Keyring<Answers>),
}

impl Storage<'_> {
    /// What identifies a repeated call: the function, the caller's credential (empty for the public), the caller's key
    /// and the body. Only this digest is stored. Where it is not keyed, a request body with a password needs a
    /// credential in the digest.
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
            Self::Encrypted(keys) => {
                let mut mac =
                    Hmac::<Sha256>::new_from_slice(keys.signing().bytes()).expect("HMAC takes a key of any length");
                mac.update(&parts);
                mac.finalize().into_bytes().into()
            }
        }
    }

    /// The body as stored in the row of that key.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn close(self, key: &[u8; 32], body: &str, rng: &mut impl TryCryptoRng) -> Result<Body, NoEntropy> {
        match self {
            Self::Plain => Ok(Body::Plain(body.to_owned())),
            Self::Encrypted(keys) => {
                Encrypted::close(keys, &[key], &Secret::new(body.to_owned()), rng).map(Body::Encrypted)
            }
        }
    }

    /// The plain body from the row of that key.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn open(self, key: &[u8; 32], body: &Body) -> Result<String, Unreadable> {
        match (self, body) {
            (Self::Plain, Body::Plain(body)) => Ok(body.clone()),
            (Self::Encrypted(keys), Body::Encrypted(sealed)) => {
                sealed.open(keys, &[key]).map(|body| body.expose().to_owned())
            }
            (Self::Plain, Body::Encrypted(_)) | (Self::Encrypted(_), Body::Plain(_)) => Err(Unreadable),
        }
    }
}

impl IdempotencyRecord {
    /// The claim of a call that starts now.
    #[must_use]
    pub fn begun(key: [u8; 32], invocation: &str, now: Timestamp) -> Self {
        Self {
            key,
            by: invocation.to_owned(),
            state: State::InProgress,
            ends_at: now.deadline(UNDER_WAY),
        }
    }

    /// The response to a retry at `now` while this call is in progress. An expired claim is taken over, so the longest
    /// wait is the time that is left of it. A retry that arrived before the call, but found its claim, is answered as
    /// of the call's start.
    #[must_use]
    pub fn under_way(&self, now: Timestamp) -> InProgress {
        InProgress {
            retry_after: self.ends_at.seconds().saturating_sub(now.seconds()).clamp(1, UNDER_WAY),
        }
    }

    /// The same call with its response.
    #[must_use]
    pub fn answered(self, status: u16, body: Body, issued: Option<Issued>, now: Timestamp) -> Self {
        Self {
            state: State::Answered { status, body, issued },
            ends_at: now.deadline(MEMORY),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::{
        auth::lockout::{Block, Why},
        crypto::key::tests::ring,
        people::user::tests::user,
    };

    #[test]
    fn a_response_replaces_its_claim_for_a_day() {
        let at = Timestamp::from_seconds;
        let begun = IdempotencyRecord::begun([7; 32], "invocation", at(100));
        let answered = begun.answered(201, Body::Plain("{}".into()), None, at(101));
        assert!(matches!(answered.state, State::Answered { status: 201, .. }));
        assert_eq!((answered.by.as_str(), answered.ends_at), ("invocation", at(101 + 86_400)));
    }

    #[test]
    fn a_stored_response_is_revoked_with_its_owners_tokens() {
        let at = Timestamp::from_seconds;
        let answered = user();
        let issued = Issued::about(&answered, Timestamp::from_millis(100_900));
        let block = |since, until: Option<u64>| {
            Some(Block {
                why: Why::Passwords,
                at: at(since),
                until: until.map(at),
            })
        };
        for (generation, block, ended) in [
            (0, None, false),
            (1, None, true),
            // An active block.
            (0, block(150, None), true),
            (0, block(50, None), true),
            // An expired block: from before the response, from the same second, from after it.
            (0, block(99, Some(120)), false),
            (0, block(100, Some(120)), true),
            (0, block(101, Some(120)), true),
            (0, block(101, Some(200)), true),
            (0, block(101, Some(201)), true),
        ] {
            let mut now = answered.clone();
            (now.token_generation, now.lockout.block) = (generation, block);
            let owner = Principal::User(Box::new(now));
            assert_eq!(issued.has_ended(Some(&owner), at(200)), ended, "{generation}, {block:?}");
            // A block by failures does not concern a known device.
            let of_device = issued.clone().in_lane(Lane::KnownDevice);
            assert_eq!(of_device.has_ended(Some(&owner), at(200)), generation == 1, "{generation}, {block:?}");
        }
        assert!(issued.has_ended(None, at(200)), "the user is gone");
        let other = Principal::User(Box::new(user()));
        assert!(issued.has_ended(Some(&other), at(200)), "another user");
        let changed = Issued::with_new_password(&answered, at(100));
        let before = Principal::User(Box::new(answered.clone()));
        assert!(changed.has_ended(Some(&before), at(200)));
        let after = User {
            token_generation: 1,
            ..answered
        };
        assert!(!changed.has_ended(Some(&Principal::User(Box::new(after))), at(200)));
    }

    #[test]
    fn a_clients_response_is_revoked_with_its_tokens_and_its_secret() {
        let secret = |text: &str| SecretDigest::of(&Secret::new(text.into()));
        let client = Client {
            id: ClientId::parse("heatclinic").expect("well-formed"),
            secret: secret("secret"),
            domain: None,
            grants: Vec::new(),
            scopes: Vec::new(),
            token_generation: 0,
            inserted_at: Timestamp::from_seconds(0),
        };
        let issued = Issued::to_client(&client);
        let ended = |changed: Client| {
            let owner = Principal::Client(Box::new(changed));
            issued.has_ended(Some(&owner), Timestamp::from_seconds(1))
        };
        assert!(!ended(client.clone()));
        for changed in [
            Client {
                token_generation: 1,
                ..client.clone()
            },
            Client {
                secret: secret("other"),
                ..client.clone()
            },
            Client {
                id: ClientId::parse("other").expect("well-formed"),
                ..client.clone()
            },
        ] {
            assert!(ended(changed));
        }
        assert!(issued.has_ended(None, Timestamp::from_seconds(1)));
        let user = Principal::User(Box::new(user()));
        assert!(issued.has_ended(Some(&user), Timestamp::from_seconds(1)));
    }

    #[test]
    fn an_encrypted_response_decrypts_in_its_own_row_only() {
        let (keys, rotated) = (ring(&[1]), ring(&[1, 2]));
        let keeping = Storage::Encrypted(&keys);
        let key = keeping.key("f", "", "key", b"{}");
        let body = keeping.close(&key, "a token", &mut SysRng).expect("entropy");
        assert_eq!(keeping.open(&key, &body).expect("our own"), "a token");
        assert_eq!(Storage::Encrypted(&rotated).open(&key, &body).expect("an older key"), "a token");
        assert!(keeping.open(&[0; 32], &body).is_err(), "another row");
        assert!(Storage::Plain.open(&key, &body).is_err());
        assert!(!format!("{body:?}").contains("a token"));
    }

    #[test]
    fn retry_after_for_a_request_in_progress_ends_with_its_claim() {
        let claim = IdempotencyRecord::begun([0; 32], "i", Timestamp::from_millis(100_900));
        for (millis, retry_after) in [
            (100_900, 15),
            (101_000, 14),
            (113_999, 2),
            (114_000, 1),
            (114_999, 1),
            // A clock that runs ahead.
            (120_000, 1),
            // A clock that lags behind.
            (99_999, 15),
        ] {
            let now = Timestamp::from_millis(millis);
            assert_eq!(claim.under_way(now), InProgress { retry_after }, "{millis}");
        }
    }

    #[test]
    fn requests_that_differ_in_any_part_have_different_keys() {
        let keys = ring(&[1]);
        for keeping in [Storage::Plain, Storage::Encrypted(&keys)] {
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
        let keyless = Storage::Plain.key("f", "c", "k", b"b");
        assert_ne!(keyless, Storage::Encrypted(&keys).key("f", "c", "k", b"b"));
    }
}
