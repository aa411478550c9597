//! Who a domain's mails come from.

use super::name::{DisplayName, EmailAddress};

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
