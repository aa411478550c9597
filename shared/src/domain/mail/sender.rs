//! Senders of a domain's mails.

use crate::domain::people::name::{DisplayName, DomainName, EmailAddress};

/// The sender of a domain's mails.
#[derive(Clone, Debug, PartialEq)]
pub struct Sender {
    /// The address in `From`. It or its domain must be verified in SES.
    pub address: EmailAddress,
    /// The display name in `From`.
    pub name: Option<DisplayName>,
    /// The address for replies, when it is not the sender.
    pub reply_to: Option<EmailAddress>,
}

/// The domain that SES allows as sender, if the deployment has one, and the allowed addresses.
#[derive(Clone, Debug)]
pub struct MailDomain {
    name: Option<DomainName>,
    senders: Vec<String>,
}

impl MailDomain {
    /// From the domain, if any, and the comma-separated patterns of `senders`, as in IAM: `*`
    /// matches any text and `?` any character.
    #[must_use]
    pub fn new(name: Option<DomainName>, senders: &str) -> Self {
        let senders = senders.split(',').filter(|pattern| !pattern.is_empty());
        Self {
            name,
            senders: senders.map(str::to_owned).collect(),
        }
    }

    /// The domain's name, if there is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(DomainName::as_str)
    }

    /// Whether an address is in the domain or a subdomain: SES accepts mail from no other.
    #[must_use]
    pub fn covers(&self, address: &EmailAddress) -> bool {
        let above = self.name().and_then(|name| address.domain().strip_suffix(name));
        above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Whether mail may come from an address: one within the domain that also matches the list, if there is one. The
    /// deployment's own sender is always allowed.
    #[must_use]
    pub fn sends_for(&self, address: &EmailAddress) -> bool {
        let is_default = self.name().is_some_and(|name| address.as_str() == default(name));
        let mut patterns = self.senders.iter();
        let is_listed = patterns.any(|pattern| is_like(pattern.as_bytes(), address.as_str().as_bytes()));
        self.covers(address) && (self.senders.is_empty() || is_listed || is_default)
    }
}

/// The sender address for domains without their own.
#[must_use]
pub fn default(mail_domain: &str) -> String {
    format!("no-reply@{mail_domain}")
}

/// Whether a list of senders is valid: comma-separated addresses, or empty.
#[must_use]
pub fn are_patterns(senders: &str) -> bool {
    let is_pattern = |pattern: &str| {
        let parts: Vec<_> = pattern.split('@').collect();
        matches!(parts[..], [local, domain] if !local.is_empty() && !domain.is_empty())
            && !pattern.contains(|sign: char| sign.is_whitespace() || sign.is_control())
    };
    senders.is_empty() || senders.split(',').all(is_pattern)
}

/// IAM's `StringLike`. A star that does not match is retried one character further on, so that no pattern takes long.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, read));
                at += 1;
            }
            Some(sign) if *sign == b'?' || *sign == text[read] => {
                at += 1;
                read += 1;
            }
            Some(_) | None => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (at, read) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|sign| *sign == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).expect("an address")
    }

    #[test]
    fn a_sender_must_be_in_the_domain_or_a_subdomain() {
        let domain = MailDomain::new(DomainName::parse("shop.example").ok(), "");
        for (text, sent) in [
            ("a@shop.example", true),
            ("a@mail.SHOP.example", true),
            ("a@evilshop.example", false),
            ("a@shop.example.org", false),
            ("a@example.com", false),
        ] {
            assert_eq!(domain.sends_for(&address(text)), sent, "{text}");
            assert!(!MailDomain::new(None, "").sends_for(&address(text)));
            assert!(!MailDomain::new(None, "*@*").sends_for(&address(text)));
        }
    }

    #[test]
    fn a_sender_must_be_listed_if_senders_are_configured() {
        let name = || DomainName::parse("shop.example").ok();
        for (senders, text, sent) in [
            ("hello@shop.example", "hello@shop.example", true),
            ("hello@shop.example", "no-reply@shop.example", true),
            ("hello@shop.example", "no-reply@mail.shop.example", false),
            ("hello@shop.example", "ceo@shop.example", false),
            // IAM is case-sensitive.
            ("hello@shop.example", "Hello@shop.example", false),
            ("a@shop.example,*@mail.shop.example", "b@mail.shop.example", true),
            ("a@shop.example,*@mail.shop.example", "b@shop.example", false),
            ("*@*.shop.example", "a@b.c.shop.example", true),
            ("*@*.shop.example", "a@shop.example", false),
            ("team-?@shop.example", "team-1@shop.example", true),
            ("team-?@shop.example", "team-12@shop.example", false),
            // A listed address outside our domain is not allowed.
            ("*@example.com", "a@example.com", false),
        ] {
            let domain = MailDomain::new(name(), senders);
            assert_eq!(domain.sends_for(&address(text)), sent, "{senders}: {text}");
        }
    }

    #[test]
    fn a_list_of_senders_is_comma_separated_addresses() {
        for (senders, good) in [
            ("", true),
            ("hello@shop.example", true),
            ("a@shop.example,*@mail.shop.example", true),
            ("a@shop.example, b@shop.example", false),
            ("a@shop.example,", false),
            (",", false),
            ("a", false),
            ("@", false),
            ("@shop.example", false),
            ("a@", false),
            ("a@b@c", false),
            ("a\n@shop.example", false),
        ] {
            assert_eq!(are_patterns(senders), good, "{senders:?}");
        }
    }

    #[test]
    fn a_pattern_matches_as_in_iam() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "abc", true),
            ("a*c*", "abcd", true),
            ("a*c", "abcd", false),
            ("a*bc", "abbbc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("?", "", false),
            ("a", "ab", false),
            ("ab", "a", false),
        ] {
            assert_eq!(is_like(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        let long = "a".repeat(10_000);
        assert!(!is_like("*a*a*a*a*a*a*b".as_bytes(), long.as_bytes()));
    }
}
