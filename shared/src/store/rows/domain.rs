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
        item::{Corrupt, Item, Reader, Writer, flag, number, options, text},
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
        let passwords = &self.passwords;
        let sender = self.sender.as_ref();
        let name = sender.and_then(|sender| sender.name.as_ref());
        let reply_to = sender.and_then(|sender| sender.reply_to.as_ref());
        Writer::default()
            .with(Self::KEY, Self::key(&self.name))
            .with("self_register_allowed", flag(self.self_register_allowed))
            .with("self_register_opts", options(&self.self_register_template.opts))
            .with("password_min", number(passwords.min as u64))
            .with("password_max", number(passwords.max as u64))
            .with("password_refuse_common", flag(passwords.refuse_common))
            .with("locale", text(self.locale.as_str()))
            .with_some("password_alphabet", passwords.alphabet.as_ref().map(|symbols| text(symbols.as_str())))
            .with_some("sender", sender.map(|sender| text(sender.address.as_str())))
            .with_some("sender_name", name.map(|name| text(name.as_str())))
            .with_some("reply_to", reply_to.map(|address| text(address.as_str())))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        let address = |row: Reader<'_>, name| row.parsed(name, |text| EmailAddress::parse(text).ok());
        let display_name = |row: Reader<'_>, name| row.parsed(name, |text| DisplayName::parse(text).ok());
        Ok(Self {
            name: row.parsed(Self::KEY, |text| DomainName::parse(text).ok())?,
            self_register_allowed: row.flag("self_register_allowed")?,
            self_register_template: Template {
                opts: row.options("self_register_opts")?,
            },
            passwords: password::Policy::new(
                row.optional("password_alphabet", Reader::text)?,
                row.number("password_min")?,
                row.number("password_max")?,
                row.flag("password_refuse_common")?,
            )
            .map_err(|_| Corrupt("password_alphabet"))?,
            sender: match row.optional("sender", address)? {
                None => None,
                Some(sender) => Some(Sender {
                    address: sender,
                    name: row.optional("sender_name", display_name)?,
                    reply_to: row.optional("reply_to", address)?,
                }),
            },
            locale: row.parsed("locale", Locale::parse)?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}
