//! Domains: one row each, by name.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        mail::sender::Sender,
        password,
        people::{
            locale::Locale,
            name::{DisplayName, DomainName, EmailAddress},
            tenant::{Domain, Template},
        },
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, number, options, text},
        table::Row,
    },
};

impl Row for Domain {
    const VARIABLE: &'static str = "DOMAINS_TABLE";
    const KEY: &'static str = "domain";
    type Id = DomainName;

    fn key(id: &DomainName) -> AttributeValue {
        text(id.as_str())
    }

    fn to_item(&self) -> Item {
        let mut row = Writer::default()
            .with(Self::KEY, Self::key(&self.name))
            .with(
                "self_register_allowed",
                AttributeValue::Bool(self.self_register_allowed),
            )
            .with("self_register_opts", options(&self.self_register_template.opts))
            .with("password_min", number(self.passwords.min as u64))
            .with("password_max", number(self.passwords.max as u64))
            .with(
                "password_refuse_common",
                AttributeValue::Bool(self.passwords.refuse_common),
            )
            .with("locale", text(self.locale.as_str()));
        if let Some(alphabet) = &self.passwords.alphabet {
            row = row.with("password_alphabet", text(alphabet.as_str()));
        }
        if let Some(sender) = &self.sender {
            row = row.with("sender", text(sender.address.as_str()));
            if let Some(name) = &sender.name {
                row = row.with("sender_name", text(name.as_str()));
            }
            if let Some(reply_to) = &sender.reply_to {
                row = row.with("reply_to", text(reply_to.as_str()));
            }
        }
        row.item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        let length = |name| row.number(name)?.try_into().map_err(|_| Corrupt(name));
        let optional = |name| row.has(name).then(|| row.text(name)).transpose();
        let address = |name| row.parsed(name, |text| EmailAddress::parse(text).ok());
        Ok(Self {
            name: row.parsed(Self::KEY, |text| DomainName::parse(text).ok())?,
            self_register_allowed: row.flag("self_register_allowed")?,
            self_register_template: Template {
                opts: row.options("self_register_opts")?,
            },
            passwords: password::Policy::new(
                optional("password_alphabet")?,
                length("password_min")?,
                length("password_max")?,
                row.flag("password_refuse_common")?,
            )
            .map_err(|_| Corrupt("password_alphabet"))?,
            sender: match row.has("sender") {
                false => None,
                true => Some(Sender {
                    address: address("sender")?,
                    name: row
                        .has("sender_name")
                        .then(|| row.parsed("sender_name", |text| DisplayName::parse(text).ok()))
                        .transpose()?,
                    reply_to: row.has("reply_to").then(|| address("reply_to")).transpose()?,
                }),
            },
            locale: row.parsed("locale", Locale::parse)?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}
