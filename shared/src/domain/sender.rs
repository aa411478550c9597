//! Who a domain's mails come from.

use super::name::{DisplayName, DomainName, EmailAddress};

/// The sender of a domain's mails.
#[derive(Clone, Debug, PartialEq)]
pub struct Sender {
    /// The address in `From`. SES must know it, or its domain, as ours.
    pub address: EmailAddress,
    /// The name that mail programs show beside it.
    pub name: Option<DisplayName>,
    /// Where answers go, when not to the sender.
    pub reply_to: Option<EmailAddress>,
}

/// The domain that SES lets us send from, if the deployment has one.
#[derive(Clone, Debug)]
pub struct MailDomain(Option<DomainName>);

impl MailDomain {
    /// That domain, or none.
    #[must_use]
    pub fn new(domain: Option<DomainName>) -> Self {
        Self(domain)
    }

    /// The domain's name, if there is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.as_ref().map(DomainName::as_str)
    }

    /// Whether mail may come from an address: one at the domain, or below it.
    #[must_use]
    pub fn sends_for(&self, address: &EmailAddress) -> bool {
        let above = self.name().and_then(|name| address.domain().strip_suffix(name));
        above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_comes_from_the_domain_or_below_it() {
        let domain = MailDomain::new(DomainName::parse("shop.example").ok());
        for (address, sent) in [
            ("a@shop.example", true),
            ("a@mail.SHOP.example", true),
            ("a@evilshop.example", false),
            ("a@shop.example.org", false),
            ("a@example.com", false),
        ] {
            let address = EmailAddress::parse(address).expect("an address");
            assert_eq!(domain.sends_for(&address), sent, "{address:?}");
            assert!(!MailDomain::new(None).sends_for(&address));
        }
    }
}
