//! Who has a name: the login and the mail address of a user, each once in a domain, without regard to case.

use sha2::{Digest, Sha256};

use super::{
    id::UserId,
    name::{DomainName, EmailAddress, Login},
    secret::framed,
};

/// A name that is taken.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Which: see [`login`] and [`email`].
    pub key: [u8; 32],
    /// Whose.
    pub user: UserId,
}

/// The key of a login in a domain.
#[must_use]
pub fn login(domain: &DomainName, login: &Login) -> [u8; 32] {
    key(b"login", domain, login.canonical())
}

/// The key of a mail address in a domain.
#[must_use]
pub fn email(domain: &DomainName, email: &EmailAddress) -> [u8; 32] {
    key(b"email", domain, email.canonical())
}

/// A key that is nobody's: what cannot be a name is looked up like one.
#[must_use]
pub fn nobody(random: &UserId) -> [u8; 32] {
    Sha256::digest(framed(&[b"claim", b"nobody", random.as_bytes()])).into()
}

fn key(kind: &[u8], domain: &DomainName, name: &str) -> [u8; 32] {
    Sha256::digest(framed(&[b"claim", kind, domain.as_str().as_bytes(), name.as_bytes()])).into()
}
