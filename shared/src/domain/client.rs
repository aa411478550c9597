//! Clients of the API: applications, not people.

use super::{id::ClientId, name::DomainName, scope::Scope, secret::Digest, time::Timestamp, token::Token};

/// An application that holds a secret of its own.
#[derive(Clone, Debug)]
pub struct Client {
    /// Which.
    pub id: ClientId,
    /// Digest of its secret (256 random bits).
    pub secret: Digest,
    /// The domain whose users log in with it, and whose users it may act upon; `None` for one that has nothing to do with
    /// users.
    pub domain: Option<DomainName>,
    /// The ways in which it may get tokens.
    pub grants: Vec<Granting>,
    /// The scopes that its tokens may have.
    pub scopes: Vec<Scope>,
    /// A token issued under another number has ended.
    pub token_generation: u64,
    /// When it was made.
    pub inserted_at: Timestamp,
}

impl Client {
    /// The scopes of these names, separated by spaces, if the client's tokens may have them all.
    #[must_use]
    pub fn allowed(&self, names: &str) -> Option<Vec<Scope>> {
        let scopes = names.split_whitespace().map(Scope::parse);
        scopes
            .map(|scope| scope.filter(|scope| self.scopes.contains(scope)))
            .collect()
    }

    /// Whether a token of the client's own has ended.
    #[must_use]
    pub fn has_ended(&self, token: &Token) -> bool {
        token.revoked_at.is_some() || token.generation != self.token_generation
    }
}

/// A way in which a client may get tokens (RFC 6749 §4.3, §4.4). Whoever logs in has a second factor asked by the client of
/// the first: there is no grant of its own for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granting {
    /// A user's mail address and password: for clients of one's own only.
    Password,
    /// The client's own secret.
    ClientCredentials,
}

impl Granting {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::ClientCredentials => "client_credentials",
        }
    }

    /// The grant of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Password, Self::ClientCredentials]
            .into_iter()
            .find(|grant| grant.name() == name)
    }
}
