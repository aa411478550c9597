//! Clients of the API: applications, not people.

use super::{id::ClientId, scope::Scope, secret::Digest, time::Timestamp};

/// An application that holds a secret of its own.
#[derive(Clone, Debug)]
pub struct Client {
    /// Which.
    pub id: ClientId,
    /// Digest of its secret (256 random bits).
    pub secret: Digest,
    /// The scopes that its tokens may have.
    pub scopes: Vec<Scope>,
    /// A token issued under another number has ended.
    pub token_generation: u64,
    /// When it was made.
    pub inserted_at: Timestamp,
}
