//! Audit events: one row each, by subject and in the order of time. Append-only.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        audit::{AuditedRequest, Event, Notice},
        people::name::DomainName,
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, text, time},
        table::Row,
    },
};

impl Row for Event {
    const VARIABLE: &'static str = "AUDIT_TABLE";
    const KEY: &'static str = "subject";
    const SORT: &'static str = "event";
    const IS_PUBLISHED: bool = true;
    type Id = str;

    fn key(id: &str) -> AttributeValue {
        text(id)
    }

    fn to_item(&self) -> Item {
        let request = self.request.as_ref();
        let words = |value: Option<&str>| value.map(text);
        Writer::default()
            .with(Self::KEY, Self::key(&self.subject))
            .with(Self::SORT, text(self.order()))
            .with("id", bytes(self.id))
            .with("what", text(self.what.as_str()))
            .with("at", time(self.at))
            .with("ttl", time(self.forget_at))
            .with_some("type", words(self.published_as.as_deref()))
            .with_some("domain", words(self.domain.as_ref().map(DomainName::as_str)))
            .with_some("notice", words(self.notice.as_ref().map(Notice::name)))
            .with_some("detail", self.notice.as_ref().and_then(Notice::detail).map(text))
            .with_some("attempt", self.attempt.map(bytes))
            .with_some("route", words(request.map(|request| request.route.as_str())))
            .with_some("request_id", words(request.map(|request| request.request_id.as_str())))
            .with_some("actor", words(request.and_then(|request| request.actor.as_deref())))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        let request = match row.has("route") {
            true => Some(AuditedRequest {
                actor: row.optional("actor", Reader::text)?.map(str::to_owned),
                route: row.text("route")?.to_owned(),
                request_id: row.text("request_id")?.to_owned(),
            }),
            false => None,
        };
        // An older version called it `phone`.
        let detail = row.optional("detail", Reader::text)?.or(row.optional("phone", Reader::text)?);
        let notice = match row.optional("notice", Reader::text)? {
            Some(name) => Some(Notice::parse(name, detail).ok_or(Corrupt("notice"))?),
            None => None,
        };
        Ok(Self {
            subject: row.text(Self::KEY)?.to_owned(),
            id: row.bytes("id")?,
            what: row.text("what")?.to_owned(),
            published_as: row.optional("type", Reader::text)?.map(str::to_owned),
            domain: row.optional("domain", |row, name| row.parsed(name, |text| DomainName::parse(text).ok()))?,
            notice,
            at: row.time("at")?,
            request,
            attempt: row.optional("attempt", Reader::bytes)?,
            forget_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.forget_at)
    }
}
