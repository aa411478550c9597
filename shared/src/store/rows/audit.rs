//! Audit events: one row each, by subject and in the order of time. Append-only.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        audit::{AuditedRequest, Event},
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
    type Id = str;

    fn key(id: &str) -> AttributeValue {
        text(id)
    }

    fn to_item(&self) -> Item {
        let mut row = Writer::default()
            .with(Self::KEY, Self::key(&self.subject))
            .with(Self::SORT, text(self.order()))
            .with("id", bytes(self.id))
            .with("what", text(self.what.as_str()))
            .with("at", time(self.at))
            .with("attempt", bytes(self.attempt))
            .with("ttl", time(self.forget_at));
        if let Some(AuditedRequest {
            actor,
            route,
            request_id,
        }) = &self.request
        {
            row = row.with("route", text(route.as_str()));
            row = row.with("request_id", text(request_id.as_str()));
            if let Some(actor) = actor {
                row = row.with("actor", text(actor.as_str()));
            }
        }
        row.item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        let request = match item.contains_key("route") {
            true => Some(AuditedRequest {
                actor: match item.contains_key("actor") {
                    true => Some(row.text("actor")?.to_owned()),
                    false => None,
                },
                route: row.text("route")?.to_owned(),
                request_id: row.text("request_id")?.to_owned(),
            }),
            false => None,
        };
        Ok(Self {
            subject: row.text(Self::KEY)?.to_owned(),
            id: row.bytes("id")?,
            what: row.text("what")?.to_owned(),
            at: row.time("at")?,
            request,
            attempt: row.bytes("attempt")?,
            forget_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.forget_at)
    }
}
