//! Suppressed addresses: after a permanent bounce or a complaint, nothing is mailed to them for a while (security.md
//! R33).

use sha2::{Digest as _, Sha256};

use crate::domain::{crypto::secret::framed, people::name::EmailAddress, time::Timestamp};

/// The duration of a suppression.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// In seconds, from the bounce or the complaint on.
    pub lifetime: u64,
}

/// The source of events about our mail. Events from other sources are ignored.
#[derive(Clone, Debug)]
pub struct Source {
    /// The topic's ARN.
    pub topic: String,
    /// The configuration set that our mail is sent with.
    pub configuration_set: String,
}

/// Why an address is suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The mail bounced permanently.
    Bounce,
    /// The recipient reported our mail as spam.
    Complaint,
}

impl Reason {
    /// The name in rows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Bounce, Self::Complaint].into_iter().find(|reason| reason.name() == name)
    }
}

/// A suppressed address. The row does not contain the address.
#[derive(Clone, Debug)]
pub struct Suppression {
    /// [`subject`] of the address.
    pub subject: [u8; 32],
    /// The reason.
    pub reason: Reason,
    /// When it was suppressed.
    pub at: Timestamp,
    /// When the suppression expires.
    pub ends_at: Timestamp,
}

impl Suppression {
    /// Suppresses an address because of an event at `at`.
    #[must_use]
    pub fn new(policy: Policy, address: &EmailAddress, reason: Reason, at: Timestamp) -> Self {
        Self {
            subject: subject(address),
            reason,
            at,
            ends_at: at.deadline(policy.lifetime),
        }
    }
}

/// Extracts the address from a recipient as mail servers report it: with a display name or a comment, in angle
/// brackets, behind its type (`rfc822;`, RFC 3464 §2.3.2), with blanks around it. Any other text is kept as is.
#[must_use]
pub fn address_in(recipient: &str) -> &str {
    let mut rest = recipient.trim();
    loop {
        let inner = if let Some(before) = rest.strip_suffix('>') {
            before.rsplit_once('<').map(|(_, inner)| inner)
        } else if let Some(before) = rest.strip_suffix(')') {
            before.rsplit_once('(').map(|(inner, _)| inner)
        } else {
            let typed = rest.split_once(';');
            typed
                .filter(|(kind, _)| ["rfc822", "utf-8"].iter().any(|known| known.eq_ignore_ascii_case(kind.trim())))
                .map(|(_, inner)| inner)
        };
        match inner {
            Some(inner) => rest = inner.trim(),
            None => return rest,
        }
    }
}

/// The digest that replaces an address where it must not be readable.
#[must_use]
pub fn subject(address: &EmailAddress) -> [u8; 32] {
    Sha256::digest(framed(&[b"suppression", address.canonical().as_bytes()])).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_round_trips() {
        for (reason, name) in [(Reason::Bounce, "bounce"), (Reason::Complaint, "complaint")] {
            assert_eq!((reason.name(), Reason::parse(name)), (name, Some(reason)));
        }
        assert_eq!(Reason::parse("Bounce"), None);
    }

    #[test]
    fn an_address_is_parsed_in_the_formats_of_mail_servers() {
        for recipient in [
            "jane@example.com",
            " jane@example.com ",
            "<jane@example.com>",
            "Jane <jane@example.com>",
            "\"<Jane>\" < jane@example.com >",
            "jane@example.com (Jane)",
            "rfc822;jane@example.com",
            "RFC822 ; <jane@example.com>",
            "utf-8;jane@example.com",
        ] {
            assert_eq!(address_in(recipient), "jane@example.com", "{recipient}");
        }
        for other in ["x400;jane@example.com", "jane@example.com>", "(jane"] {
            assert_eq!(address_in(other), other);
        }
        assert_eq!(address_in("<>"), "");
    }

    #[test]
    fn an_address_is_one_subject_in_any_letter_case() {
        let of = |text: &str| subject(&EmailAddress::parse(text).expect("an address"));
        assert_eq!(of("Jane@Example.com"), of("jane@example.COM"));
        assert_ne!(of("jane@example.com"), of("jane+x@example.com"));
    }
}
