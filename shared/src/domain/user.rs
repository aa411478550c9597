//! Users: people with an account in one domain.

use super::{
    id::UserId,
    name::{DisplayName, DomainName, EmailAddress, Login},
    password::PasswordHash,
    tenant::Options,
    time::Timestamp,
};

/// A person with an account in one domain.
#[derive(Clone, Debug)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// The domain (tenant) of the account.
    pub domain: DomainName,
    /// Mail address, once in the domain.
    pub email: EmailAddress,
    /// Login name, once in the domain.
    pub login: Login,
    /// Display name.
    pub name: DisplayName,
    /// Password, hashed.
    pub password: PasswordHash,
    /// Free fields: what the domain's template says, and what was registered.
    pub opts: Options,
    /// May look up and revoke the support PINs of the domain's users.
    pub is_admin: bool,
    /// Why the user may not use the API, if so.
    pub block: Option<Block>,
    /// A token, a link or a support PIN issued under another number has ended: raising it ends all of a user's in one
    /// write.
    pub token_generation: u64,
    /// When the account was made.
    pub inserted_at: Timestamp,
}

/// Why a user is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// Somebody who may decided so; nothing but such a decision lifts it.
    Decision,
    /// Too many failed attempts; a password reset lifts it.
    Failures,
}

impl Block {
    /// The stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Failures => "failures",
        }
    }

    /// The block of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Decision, Self::Failures]
            .into_iter()
            .find(|block| block.name() == name)
    }
}

impl User {
    /// Whether this administrator's word reaches `other`: only within one domain.
    #[must_use]
    pub fn administers(&self, other: &Self) -> bool {
        self.is_admin && self.domain == other.domain
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::rngs::SysRng;

    use super::*;

    /// Somebody.
    pub(crate) fn user() -> User {
        User {
            id: UserId::draw(&mut SysRng).expect("entropy"),
            domain: DomainName::parse("pbx.era-platform.ru").expect("a domain"),
            email: EmailAddress::parse("my.address@yandex.ru").expect("an address"),
            login: Login::parse("my_login").expect("a login"),
            name: DisplayName::parse("My Name").expect("a name"),
            password: PasswordHash::from_stored(String::new()),
            opts: Options::new(),
            is_admin: false,
            block: None,
            token_generation: 0,
            inserted_at: Timestamp::from_seconds(0),
        }
    }
}
