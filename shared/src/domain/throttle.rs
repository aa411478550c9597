//! How often the same may be asked for. Each limit is a budget (see [`super::budget`]) of one subject: whose acts count
//! together.

use sha2::{Digest, Sha256};

use super::{
    budget::Budget,
    id::UserId,
    name::{DomainName, EmailAddress, Login},
    network::Network,
    phone::Phone,
    secret::framed,
};

/// What is asked for. One does not use up the other.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    /// A registration.
    Registration,
    /// A password reset.
    PasswordReset,
}

impl Asked {
    /// Its stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::PasswordReset => "password_reset",
        }
    }
}

/// Who gets the mail that is asked for: whose mails count together, in however many domains.
#[derive(Clone, Copy, Debug)]
pub enum Addressee<'a> {
    /// A mail address, whoever asks.
    Email(&'a EmailAddress),
    /// A login that nobody has: there is no address, and nothing must tell.
    Nobody(&'a DomainName, &'a Login),
}

/// The limits of what sends a mail.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Accepted requests of one network.
    pub source: Budget,
    /// Mails to one address.
    pub address: Budget,
    /// Accepted requests for one domain.
    pub domain: Budget,
}

/// The subject of [`Limits::source`].
#[must_use]
pub fn source(asked: Asked, network: &Network) -> [u8; 32] {
    subject("source", asked, &[network.as_bytes()])
}

/// The subject of [`Limits::address`].
#[must_use]
pub fn address(asked: Asked, addressee: Addressee<'_>) -> [u8; 32] {
    match addressee {
        Addressee::Email(email) => subject("address", asked, &[email.canonical().as_bytes()]),
        Addressee::Nobody(domain, login) => subject(
            "nobody",
            asked,
            &[domain.as_str().as_bytes(), login.canonical().as_bytes()],
        ),
    }
}

/// The subject of [`Limits::domain`]; all names that are no domain of ours count as one.
#[must_use]
pub fn domain(asked: Asked, domain: Option<&DomainName>) -> [u8; 32] {
    subject("domain", asked, &[domain.map_or("", DomainName::as_str).as_bytes()])
}

/// The subject of the guesses at a user's current password, by whoever holds one of the user's tokens.
#[must_use]
pub fn password_guesses(user: UserId) -> [u8; 32] {
    Sha256::digest(framed(&[b"password guesses", user.as_bytes()])).into()
}

/// The subject of the logins that failed from one network, whoever they were about: who tries one password with many names is
/// stopped by no lockout.
#[must_use]
pub fn failed_logins(network: &Network) -> [u8; 32] {
    Sha256::digest(framed(&[b"failed logins", network.as_bytes()])).into()
}

/// The subject of the messages to one number, whoever asks.
#[must_use]
pub fn sms(phone: &Phone) -> [u8; 32] {
    Sha256::digest(framed(&[b"text messages", phone.as_str().as_bytes()])).into()
}

fn subject(what: &str, asked: Asked, parts: &[&[u8]]) -> [u8; 32] {
    let mut all = vec![b"throttle".as_slice(), what.as_bytes(), asked.name().as_bytes()];
    all.extend(parts);
    Sha256::digest(framed(&all)).into()
}
