//! Domains: the tenants that users belong to, and their settings.

use std::collections::BTreeMap;

use super::{locale::Locale, name::DomainName};
use crate::domain::{mail::sender::Sender, password};

/// A domain (tenant).
#[derive(Clone, Debug)]
pub struct Domain {
    /// The domain's name.
    pub name: DomainName,
    /// Whether self-registration is allowed.
    pub self_register_allowed: bool,
    /// The initial fields of every self-registered account.
    pub self_register_template: Template,
    /// The password policy.
    pub passwords: password::Policy,
    /// The sender of its mail; `None` for the deployment's sender.
    pub sender: Option<Sender>,
    /// The language of its mail.
    pub locale: Locale,
}

/// The initial fields of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// The account's options; the registered ones override them.
    pub opts: Options,
}

/// The custom fields of an account, by name.
pub type Options = BTreeMap<String, Opt>;

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opt {
    /// A boolean.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

impl Domain {
    /// A domain without configuration: no self-registration, and the contract's password policy.
    #[must_use]
    pub fn undescribed(name: DomainName) -> Self {
        Self {
            name,
            self_register_allowed: false,
            self_register_template: Template::default(),
            passwords: password::Policy::default(),
            sender: None,
            locale: Locale::default(),
        }
    }
}

impl Template {
    /// The options of an account registered with this mail address.
    #[must_use]
    pub fn registered(&self, email: &str) -> Options {
        let mut opts = self.opts.clone();
        opts.insert("email".into(), Opt::Text(email.to_owned()));
        opts.insert("self_registered".into(), Opt::Flag(true));
        opts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_gets_the_options_of_its_template_and_registration() {
        let text = |text: &str| Opt::Text(text.into());
        let template = Template {
            opts: Options::from([("plan".into(), text("free")), ("email".into(), text("x"))]),
        };
        let expected = [
            ("email".into(), text("jane@example.com")),
            ("plan".into(), text("free")),
            ("self_registered".into(), Opt::Flag(true)),
        ];
        assert_eq!(template.registered("jane@example.com"), Options::from(expected));
    }
}
