//! What a verification proves the possession of: a phone number or a mail address.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::sid::ServiceSid;
use crate::domain::{
    crypto::{
        key::{DestinationNames, Keyring},
        secret::framed,
    },
    limits::limit_keys::mailbox_of,
    people::{name::EmailAddress, phone::Phone},
};

/// A destination of codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A phone number.
    Phone(Phone),
    /// A mail address.
    Email(EmailAddress),
}

impl Destination {
    /// Parses a number in the form of E.164, or a mail address; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.contains('@') {
            true => EmailAddress::parse(text).ok().map(Self::Email),
            false => Phone::parse(text).ok().map(Self::Phone),
        }
    }

    /// A destination that was accepted before.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        match text.contains('@') {
            true => EmailAddress::parse(text).ok().map(Self::Email),
            false => Phone::from_stored(text).map(Self::Phone),
        }
    }

    /// The destination as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Phone(phone) => phone.as_str(),
            Self::Email(email) => email.as_str(),
        }
    }

    /// The destination for a log.
    #[must_use]
    pub fn masked(&self) -> String {
        match self {
            Self::Phone(phone) => phone.masked(),
            Self::Email(email) => email.masked(),
        }
    }

    /// Whether both are the same: mail addresses in any letter case.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Phone(one), Self::Phone(other)) => one == other,
            (Self::Email(one), Self::Email(other)) => one.canonical() == other.canonical(),
            (Self::Phone(_), Self::Email(_)) | (Self::Email(_), Self::Phone(_)) => false,
        }
    }
}

/// The key of what is stored about one destination of one account: a keyed digest, so that a copy of the table cannot be
/// searched for a number. Mail addresses of one mailbox (R74) have one record. It is the first part of each verification's
/// SID: no index leads from one to the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DestinationId([u8; 10]);

impl DestinationId {
    /// The id of a destination, which all services of an account share: their SIDs begin with the account's. It is computed with the oldest key, so that a new key does not hide what is stored; when
    /// that key is retired, records and the guesses counted in them begin anew.
    #[must_use]
    pub fn of(keys: &Keyring<DestinationNames>, service: &ServiceSid, destination: &Destination) -> Self {
        let key = keys.oldest();
        let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("HMAC takes a key of any length");
        let (kind, name) = match destination {
            Destination::Phone(phone) => ("phone", phone.as_str().to_owned()),
            Destination::Email(email) => ("email", mailbox_of(email)),
        };
        mac.update(&framed(&[&service.account_part(), kind.as_bytes(), name.as_bytes()]));
        let mac = mac.finalize().into_bytes();
        Self(mac[..10].try_into().expect("an HMAC-SHA-256 has 32 bytes"))
    }

    /// From its bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 10]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 10] {
        &self.0
    }
}

impl fmt::Debug for DestinationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DestinationId(…)")
    }
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A text message.
    Sms,
    /// A mail.
    Email,
}

impl Channel {
    /// The name on the wire, and as stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }

    /// The channel of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Sms, Self::Email].into_iter().find(|channel| channel.name() == name)
    }

    /// The channel that reaches a destination.
    #[must_use]
    pub fn of(destination: &Destination) -> Self {
        match destination {
            Destination::Phone(_) => Self::Sms,
            Destination::Email(_) => Self::Email,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::crypto::key::tests::ring;

    fn destination(text: &str) -> Destination {
        Destination::parse(text).expect("a good destination")
    }

    /// A service of an account.
    fn service(account: u8, own: u8) -> ServiceSid {
        let mut bytes = [account; 16];
        bytes[6..].fill(own);
        ServiceSid::from_bytes(bytes)
    }

    #[test]
    fn a_destination_is_a_number_or_an_address() {
        for (text, channel) in [
            ("+15017122661", Some(Channel::Sms)),
            ("maria@example.com", Some(Channel::Email)),
            ("+tag@example.com", Some(Channel::Email)),
            ("15017122661", None),
            ("+1501", None),
            ("maria@", None),
            ("", None),
        ] {
            let found = Destination::parse(text);
            assert_eq!(found.as_ref().map(Channel::of), channel, "{text}");
            assert_eq!(found, Destination::from_stored(text), "{text}");
            assert!(found.is_none_or(|found| found.as_str() == text), "{text}");
        }
    }

    #[test]
    fn each_destination_of_an_account_has_its_own_id() {
        let keys = ring(&[1]);
        let id = |service, text| DestinationId::of(&keys, &service, &destination(text));
        let all: std::collections::HashSet<_> = [
            id(service(1, 1), "+15017122661"),
            id(service(2, 1), "+15017122661"),
            id(service(1, 1), "+15017122662"),
            id(service(1, 1), "maria@example.com"),
            id(service(1, 1), "mario@example.com"),
        ]
        .into();
        assert_eq!(all.len(), 5);
        assert_eq!(id(service(1, 1), "+15017122661"), id(service(1, 2), "+15017122661"), "one account");
    }

    #[test]
    fn addresses_of_one_mailbox_have_one_id_and_are_still_told_apart() {
        let keys = ring(&[1]);
        let id = |text| DestinationId::of(&keys, &service(1, 1), &destination(text));
        let one = destination("maria@example.com");
        for (text, same) in [("Maria@Example.com", true), ("maria+1@example.com", false)] {
            assert_eq!(id(text), id("maria@example.com"), "{text}");
            assert_eq!(one.is_same(&destination(text)), same, "{text}");
        }
        assert!(!one.is_same(&destination("+15017122661")));
        assert!(destination("+15017122661").is_same(&destination("+15017122661")));
    }

    #[test]
    fn a_new_key_does_not_change_ids_until_the_oldest_is_retired() {
        let id = |keys: &[u32]| DestinationId::of(&ring(keys), &service(1, 1), &destination("+15017122661"));
        assert_eq!(id(&[1]), id(&[1, 2]));
        assert_ne!(id(&[1, 2]), id(&[2]));
    }
}
