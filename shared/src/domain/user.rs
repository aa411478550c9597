//! Users, as far as tokens and support PINs need them.

use super::{id::UserId, password::PasswordHash, time::Timestamp};

/// A person with an account in one domain.
#[derive(Clone, Debug)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// The domain (tenant) of the account.
    pub domain: String,
    /// Mail address.
    pub email: String,
    /// Login name.
    pub login: String,
    /// Display name.
    pub name: String,
    /// Password, hashed.
    pub password: PasswordHash,
    /// May look up and revoke the support PINs of the domain's users.
    pub is_admin: bool,
    /// May not use the API.
    pub is_blocked: bool,
    /// A token issued under another number has ended: raising it ends every token of the user in one write.
    pub token_generation: u64,
    /// When the account was made.
    pub inserted_at: Timestamp,
}

impl User {
    /// Whether this administrator's word reaches `other`: only within one domain.
    #[must_use]
    pub fn administers(&self, other: &Self) -> bool {
        self.is_admin && self.domain == other.domain
    }
}
