//! The subjects of rate limits (see [`super::rate_limit`]): whose hits count together.

use sha2::{Digest, Sha256};

use super::{
    bucket::Bucket,
    id::UserId,
    name::{DomainName, EmailAddress, Login},
    network::Network,
    phone::Phone,
    rate_limit::RateLimit,
    secret::framed,
    suppression::Reason,
    waits::Waits,
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

/// What a mail is about. The mails of one kind to one mailbox are spaced; one kind does not use up another's waits: what a
/// stranger has mailed to somebody about an account that does not exist must not delay the mail about the one that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailKind {
    /// A registration to confirm, or the account that the address has already.
    Registration,
    /// A link by which the owner of an account gets in again.
    Recovery,
    /// The same to an address that has complained about our mail: on an explicit request only, and with waits of its own.
    RecoveryAfterComplaint,
    /// There is no account to reset.
    NoAccount,
}

impl MailKind {
    /// All of them.
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

    /// The mail that a registration is answered with, if any.
    #[must_use]
    pub fn of_registration(suppressed: Option<Reason>) -> Option<Self> {
        match suppressed {
            None => Some(Self::Registration),
            Some(Reason::Bounce | Reason::Complaint) => None,
        }
    }

    /// The mail that a reset is answered with, if any. The mail to the owner of an account depends on no budget that others
    /// can use up; what strangers can have mailed to anybody does.
    #[must_use]
    pub fn of_reset(asked_for: AskedFor, suppressed: Option<Reason>, is_within_budgets: bool) -> Option<Self> {
        match (asked_for, suppressed) {
            (AskedFor::Account, None) => Some(Self::Recovery),
            (AskedFor::Account, Some(Reason::Complaint)) => Some(Self::RecoveryAfterComplaint),
            (AskedFor::Address, None) if is_within_budgets => Some(Self::NoAccount),
            (AskedFor::Account, Some(Reason::Bounce)) | (AskedFor::Address, _) | (AskedFor::Nothing, _) => None,
        }
    }
}

/// What the key of a reset leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedFor {
    /// Somebody's account.
    Account,
    /// A mail address without an account, in a domain that the operator has described.
    Address,
    /// A login without an account, or an address in a domain that the operator has never heard of: its name would be a
    /// stranger's text in our mail.
    Nothing,
}

/// Who gets the mail that is asked for: whose mails count together, in however many domains.
#[derive(Clone, Copy, Debug)]
pub enum Addressee<'a> {
    /// A mailbox: a mail address without its `+tag`, in any letter case.
    Email(&'a EmailAddress),
    /// A login that nobody has: there is no address, and nothing must tell.
    Nobody(&'a DomainName, &'a Login),
}

/// The limits of what sends a mail.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Accepted requests of one network.
    pub source: RateLimit,
    /// What one wide network may have of a domain's budgets.
    pub share: RateLimit,
    /// The same while the domain's registrations are not confirmed.
    pub share_of_unconfirmed: RateLimit,
    /// Accepted requests for one domain, in a minute.
    pub domain: RateLimit,
    /// Requests for mails in one domain.
    pub domain_mails: Bucket,
    /// Requests for mails in the whole deployment.
    pub mails: Bucket,
    /// Registrations of one domain that are not confirmed.
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

/// So many registrations one confirmation makes room for: a domain in which a tenth is confirmed does not slow down.
pub const CONFIRMED: u64 = 10;

/// The subject of [`Limits::source`].
#[must_use]
pub fn source(asked: Asked, network: &Network) -> [u8; 32] {
    subject("source", asked, &[network.as_bytes()])
}

/// The subject of [`Limits::share`]. All names that are no domain of ours count as one; likewise below.
#[must_use]
pub fn share(asked: Asked, network: &Network, domain: Option<&DomainName>) -> [u8; 32] {
    subject("share", asked, &[name(domain), network.wide()])
}

/// The subject of [`Limits::domain`].
#[must_use]
pub fn domain(asked: Asked, domain: Option<&DomainName>) -> [u8; 32] {
    subject("domain", asked, &[name(domain)])
}

/// The subject of [`Limits::domain_mails`].
#[must_use]
pub fn domain_mails(asked: Asked, domain: Option<&DomainName>) -> [u8; 32] {
    subject("mails of a domain", asked, &[name(domain)])
}

/// The subject of [`Limits::mails`].
#[must_use]
pub fn mails(asked: Asked) -> [u8; 32] {
    subject("mails", asked, &[])
}

/// The subject of [`Limits::unconfirmed`].
#[must_use]
pub fn unconfirmed(domain: &DomainName) -> [u8; 32] {
    subject("unconfirmed", Asked::Registration, &[domain.as_str().as_bytes()])
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
            mailbox = without_tag(email.canonical());
            parts.push(mailbox.as_bytes());
        }
        Addressee::Nobody(domain, login) => {
            parts.extend([domain.as_str().as_bytes(), login.canonical().as_bytes()]);
        }
    }
    Sha256::digest(framed(&parts)).into()
}

/// The address without its `+tag`. What is nothing but a tag stays as it is.
fn without_tag(canonical: &str) -> String {
    match canonical.split_once('@') {
        Some((local, domain)) => match local.split_once('+') {
            Some((mailbox, _)) if !mailbox.is_empty() => format!("{mailbox}@{domain}"),
            Some(_) | None => canonical.to_owned(),
        },
        None => canonical.to_owned(),
    }
}

/// The subject where a request is counted that sends no mail to a mailbox: nothing is decided by it, and it costs the
/// mailbox nothing.
#[must_use]
pub fn elsewhere(asked: Asked, domain: &DomainName, key: &str) -> [u8; 32] {
    subject("elsewhere", asked, &[domain.as_str().as_bytes(), key.as_bytes()])
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

#[cfg(test)]
mod tests;
