//! The subjects of rate limits (see [`super::rate_limit`]): which hits count together.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::{bucket::Bucket, network::Network, rate_limit::RateLimit};
use crate::domain::{
    crypto::{
        key::{Keyring, Recipients},
        secret::framed,
    },
    mail::{suppression::Reason, waits::Waits},
    people::{
        id::UserId,
        name::{DomainName, EmailAddress, Login},
        phone::Phone,
    },
};

/// The kind of request. Each has its own rate limits.
#[derive(Clone, Copy, Debug)]
pub enum RequestKind {
    /// A registration.
    Registration,
    /// A password reset.
    PasswordReset,
}

impl RequestKind {
    /// The stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::PasswordReset => "password_reset",
        }
    }
}

/// The kind of a mail. Mails of one kind to one mailbox are spaced; each kind has its own waits: mails that a stranger
/// causes about an account that does not exist must not delay the mail about the one that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailKind {
    /// A registration to confirm, or a notice that the address already has an account.
    Registration,
    /// A link by which the owner of an account recovers it.
    Recovery,
    /// A recovery link to an address that has complained about our mail: on an explicit request only, and with its own
    /// waits.
    RecoveryAfterComplaint,
    /// A notice that there is no account to reset.
    NoAccount,
}

impl MailKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Registration,
        Self::Recovery,
        Self::RecoveryAfterComplaint,
        Self::NoAccount,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Recovery => "recovery",
            Self::RecoveryAfterComplaint => "recovery after complaint",
            Self::NoAccount => "no account",
        }
    }

    /// The mail that answers a registration, if any.
    #[must_use]
    pub fn of_registration(suppressed: Option<Reason>) -> Option<Self> {
        match suppressed {
            None => Some(Self::Registration),
            Some(Reason::Bounce | Reason::Complaint) => None,
        }
    }

    /// The mail that answers a reset request, if any. The mail to the owner of an account depends on no rate limit that
    /// others can use up; mail that strangers can cause to other addresses does.
    #[must_use]
    pub fn of_reset(resolved: Resolved, suppressed: Option<Reason>, is_within_limits: bool) -> Option<Self> {
        match (resolved, suppressed) {
            (Resolved::Account, None) => Some(Self::Recovery),
            (Resolved::Account, Some(Reason::Complaint)) => Some(Self::RecoveryAfterComplaint),
            (Resolved::Address, None) if is_within_limits => Some(Self::NoAccount),
            (Resolved::Account, Some(Reason::Bounce)) | (Resolved::Address, _) | (Resolved::Nothing, _) => None,
        }
    }
}

/// What a reset request's login or address resolves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// An existing account.
    Account,
    /// A mail address without an account, in a domain that the operator has configured.
    Address,
    /// A login without an account, or an address in a domain that is not configured: its name would put a stranger's
    /// text into our mail.
    Nothing,
}

/// The recipient of the requested mail: mails to one recipient count together across domains.
#[derive(Clone, Copy, Debug)]
pub enum Addressee<'a> {
    /// A mailbox: a mail address without its `+tag`, in any letter case.
    Email(&'a EmailAddress),
    /// A login without an account: it has no address, and the response must not reveal that (enumeration).
    UnknownLogin(&'a DomainName, &'a Login),
}

/// The rate limits of requests that send mail.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Accepted requests from one network.
    pub source: RateLimit,
    /// The share of a domain's rate limits that one wide network may use.
    pub share: RateLimit,
    /// That share while the domain's registrations are not confirmed.
    pub share_of_unconfirmed: RateLimit,
    /// Accepted requests for one domain, per minute.
    pub domain: RateLimit,
    /// Requests for mails in one domain.
    pub domain_mails: Bucket,
    /// Requests for mails in the whole deployment.
    pub mails: Bucket,
    /// Unconfirmed registrations of one domain.
    pub unconfirmed: Bucket,
    /// Mails of one kind to one mailbox.
    pub mailbox: Waits,
    /// Recovery mails to a mailbox that has complained.
    pub after_complaint: Waits,
}

impl Limits {
    /// The waits between mails of one kind.
    #[must_use]
    pub fn waits(&self, kind: MailKind) -> &Waits {
        match kind {
            MailKind::Registration | MailKind::Recovery | MailKind::NoAccount => &self.mailbox,
            MailKind::RecoveryAfterComplaint => &self.after_complaint,
        }
    }
}

/// How many registrations one confirmation refills: a domain in which a tenth is confirmed is not slowed down.
pub const CONFIRMED: u64 = 10;

/// The subject of [`Limits::source`].
#[must_use]
pub fn source(request: RequestKind, network: &Network) -> [u8; 32] {
    subject("source", request, &[network.as_bytes()])
}

/// The subject of [`Limits::share`]. All names that are not configured domains count as one; likewise below.
#[must_use]
pub fn share(request: RequestKind, network: &Network, domain: Option<&DomainName>) -> [u8; 32] {
    subject("share", request, &[name(domain), network.wide()])
}

/// The subject of [`Limits::domain`].
#[must_use]
pub fn domain(request: RequestKind, domain: Option<&DomainName>) -> [u8; 32] {
    subject("domain", request, &[name(domain)])
}

/// The subject of [`Limits::domain_mails`].
#[must_use]
pub fn domain_mails(request: RequestKind, domain: Option<&DomainName>) -> [u8; 32] {
    subject("mails of a domain", request, &[name(domain)])
}

/// The subject of [`Limits::mails`].
#[must_use]
pub fn mails(request: RequestKind) -> [u8; 32] {
    subject("mails", request, &[])
}

/// The subject of [`Limits::unconfirmed`].
#[must_use]
pub fn unconfirmed(domain: &DomainName) -> [u8; 32] {
    subject("unconfirmed", RequestKind::Registration, &[domain.as_str().as_bytes()])
}

fn name(domain: Option<&DomainName>) -> &[u8] {
    domain.map_or("", DomainName::as_str).as_bytes()
}

/// The subject of the mails of one kind to one mailbox.
#[must_use]
pub fn mailbox(kind: MailKind, addressee: Addressee<'_>) -> [u8; 32] {
    let mut parts = vec![b"throttle".as_slice(), b"mailbox", kind.name().as_bytes()];
    let mailbox;
    match addressee {
        Addressee::Email(email) => {
            mailbox = mailbox_of(email);
            parts.push(mailbox.as_bytes());
        }
        Addressee::UnknownLogin(domain, login) => {
            parts.extend([domain.as_str().as_bytes(), login.canonical().as_bytes()]);
        }
    }
    Sha256::digest(framed(&parts)).into()
}

/// The mailbox of an address: without its `+tag`, in lower case. A local part that is only a tag is kept.
#[must_use]
pub fn mailbox_of(email: &EmailAddress) -> String {
    let canonical = email.canonical();
    match canonical.split_once('@') {
        Some((local, domain)) => match local.split_once('+') {
            Some((mailbox, _)) if !mailbox.is_empty() => format!("{mailbox}@{domain}"),
            Some(_) | None => canonical.to_owned(),
        },
        None => canonical.to_owned(),
    }
}

/// The subject that counts a request without a mail to a mailbox: no decision depends on it, and it does not use up the
/// mailbox's limit.
#[must_use]
pub fn elsewhere(request: RequestKind, domain: &DomainName, key: &str) -> [u8; 32] {
    subject("elsewhere", request, &[domain.as_str().as_bytes(), key.as_bytes()])
}

/// The subject of guesses at a user's current password by a holder of one of the user's tokens.
#[must_use]
pub fn password_guesses(user: UserId) -> [u8; 32] {
    Sha256::digest(framed(&[b"password guesses", user.as_bytes()])).into()
}

/// The subject of failed logins from one network, for all accounts together: no lockout stops password spraying, which
/// tries one password with many names.
#[must_use]
pub fn failed_logins(network: &Network) -> [u8; 32] {
    Sha256::digest(framed(&[b"failed logins", network.as_bytes()])).into()
}

/// The subject of text messages to one number, from all callers: a keyed digest, since all numbers can be tried. It is
/// computed with the oldest key, so that a new key does not begin all counts anew.
#[must_use]
pub fn sms(keys: &Keyring<Recipients>, phone: &Phone) -> [u8; 32] {
    keyed(keys, &[b"text messages", phone.as_str().as_bytes()])
}

/// The subject of mails with codes to one mailbox, from all callers.
#[must_use]
pub fn verification_mails(keys: &Keyring<Recipients>, email: &EmailAddress) -> [u8; 32] {
    keyed(keys, &[b"verification mails", mailbox_of(email).as_bytes()])
}

fn keyed(keys: &Keyring<Recipients>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(keys.oldest().bytes()).expect("HMAC takes a key of any length");
    mac.update(&framed(parts));
    mac.finalize().into_bytes().into()
}

/// The subject of all mails with codes of the deployment.
#[must_use]
pub fn all_verification_mails() -> [u8; 32] {
    Sha256::digest(framed(&[b"all verification mails"])).into()
}

fn subject(what: &str, request: RequestKind, parts: &[&[u8]]) -> [u8; 32] {
    let mut all = vec![b"throttle".as_slice(), what.as_bytes(), request.name().as_bytes()];
    all.extend(parts);
    Sha256::digest(framed(&all)).into()
}

#[cfg(test)]
mod tests;
