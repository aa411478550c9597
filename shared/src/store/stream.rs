//! Records of a table's stream, as Lambda delivers them in batches, and which of them failed.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    item::{Corrupt, Item},
    table::Row,
};

/// The row that a record inserts; `None` for a record of another change.
///
/// # Errors
/// The name of what is missing or malformed: of a part of the record, or of an attribute of the row.
pub fn inserted<R: Row>(record: &Value) -> Result<Option<R>, &'static str> {
    match (record["eventSource"].as_str(), record["eventName"].as_str()) {
        (Some("aws:dynamodb"), Some("INSERT")) => {}
        (Some("aws:dynamodb"), Some("MODIFY" | "REMOVE")) => return Ok(None),
        (Some("aws:dynamodb"), _) => return Err("eventName"),
        _ => return Err("eventSource"),
    }
    let item = item(&record["dynamodb"]["NewImage"]).ok_or("NewImage")?;
    R::from_item(&item).map(Some).map_err(|Corrupt(attribute)| attribute)
}

/// Lambda's id of a record. Without one, Lambda considers the whole batch failed, and halves it.
#[must_use]
pub fn sequence_number(record: &Value) -> &str {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default()
}

/// A row as JSON in which each value is an object named after its type, if all values are texts, numbers or bytes.
fn item(image: &Value) -> Option<Item> {
    let entry = |(name, value)| Some((String::clone(name), attribute(value)?));
    image.as_object()?.iter().map(entry).collect()
}

fn attribute(value: &Value) -> Option<AttributeValue> {
    let mut entries = value.as_object()?.iter();
    let (Some((kind, value)), None) = (entries.next(), entries.next()) else {
        return None;
    };
    let text = value.as_str()?;
    match kind.as_str() {
        "S" => Some(AttributeValue::S(text.to_owned())),
        "N" => Some(AttributeValue::N(text.to_owned())),
        "B" => STANDARD.decode(text).ok().map(|bytes| AttributeValue::B(Blob::new(bytes))),
        _ => None,
    }
}

/// The records of a batch that failed, by their position.
#[derive(Debug, Default)]
pub struct Failures {
    alone: BTreeSet<usize>,
    from: Option<usize>,
}

impl Failures {
    /// Adds a record that no retry can handle: the ones after it are handled now.
    pub fn add(&mut self, at: usize) {
        self.alone.insert(at);
    }

    /// Adds a record at which the work stopped: it and all after it are to be delivered again.
    pub fn stop_at(&mut self, at: usize) {
        self.from = Some(self.from.map_or(at, |from| from.min(at)));
    }

    /// The positions of all failed records, in order, in a batch of `count`.
    pub fn of(&self, count: usize) -> impl Iterator<Item = usize> {
        let from = self.from.unwrap_or(count);
        (0..count).filter(move |at| *at >= from || self.alone.contains(at))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        domain::audit::{Event, Notice},
        store::item::{bytes, number, text},
    };

    /// The record of an event that is mailed and published.
    fn record() -> Value {
        json!({
            "eventID": "7de3041dd709b024af6f29e4fa13d34c",
            "eventName": "INSERT",
            "eventSource": "aws:dynamodb",
            "dynamodb": {
                "SequenceNumber": "13021600000000001596893679",
                "StreamViewType": "NEW_IMAGE",
                "NewImage": {
                    "subject": { "S": "user:b53a2bd3-6ec5-4b2c-a63c-a35b0d3a6d3f" },
                    "event": { "S": "2026-02-27T22:06:57Z 07070707070707070707070707070707" },
                    "id": { "B": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=" },
                    "what": { "S": "factor_approved" },
                    "type": { "S": "factor.changed" },
                    "notice": { "S": "factor_changed" },
                    "phone": { "S": "+38088*****30" },
                    "domain": { "S": "shop.example" },
                    "at": { "N": "1772230017" },
                    "ttl": { "N": "1803766017" },
                    "route": { "S": "PATCH /mithril/api/users/actions/approve_factor" },
                    "request_id": { "S": "JAGWpXmPvHcESEA=" },
                    "actor": { "S": "user:b53a2bd3-6ec5-4b2c-a63c-a35b0d3a6d3f" },
                },
            },
        })
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut record = record();
        *record.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
        record
    }

    fn without(attributes: &[&str]) -> Value {
        let mut record = record();
        let image = record.pointer_mut("/dynamodb/NewImage").and_then(Value::as_object_mut).expect("a row");
        image.retain(|name, _| !attributes.contains(&name.as_str()));
        record
    }

    #[test]
    fn an_inserted_row_is_read() {
        let event: Event = inserted(&record()).expect("a good record").expect("an event");
        assert_eq!((event.id, event.at.seconds()), ([7; 32], 1_772_230_017));
        assert_eq!(event.published_as.as_deref(), Some("factor.changed"));
        let phone = "+38088*****30".to_owned();
        assert_eq!(event.notice, Some(Notice::FactorChanged { phone }));
        assert_eq!(sequence_number(&record()), "13021600000000001596893679");
    }

    #[test]
    fn other_changes_insert_nothing() {
        for name in ["MODIFY", "REMOVE"] {
            let row: Option<Event> = inserted(&with("/eventName", name.into())).expect("a good record");
            assert!(row.is_none(), "{name}");
        }
    }

    #[test]
    fn a_malformed_record_names_what_is_wrong() {
        for (record, expected) in [
            (json!({}), "eventSource"),
            (with("/eventSource", "aws:kinesis".into()), "eventSource"),
            (with("/eventName", "UPSERT".into()), "eventName"),
            (with("/dynamodb/NewImage", Value::Null), "NewImage"),
            (with("/dynamodb/NewImage/id", json!({ "B": "%" })), "NewImage"),
            (with("/dynamodb/NewImage/id", json!({ "B": "Bwc=" })), "id"),
            (with("/dynamodb/NewImage/notice", json!({ "S": "unheard" })), "notice"),
            (without(&["phone"]), "notice"),
            (without(&["at"]), "at"),
        ] {
            assert_eq!(inserted::<Event>(&record).err(), Some(expected), "{record}");
        }
    }

    #[test]
    fn texts_numbers_and_bytes_are_read() {
        let image = json!({ "subject": { "S": "user:x" }, "at": { "N": "1772230017" }, "id": { "B": "AP/+" } });
        let expected = [
            ("subject", text("user:x")),
            ("at", number(1_772_230_017)),
            ("id", bytes([0, 255, 254])),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(item(&image), Some(Item::from(expected)));
        assert_eq!(item(&json!({})), Some(Item::new()));
    }

    #[test]
    fn a_value_of_another_form_is_refused() {
        for value in [
            json!("text"),
            json!({}),
            json!({ "S": 1 }),
            json!({ "N": 1 }),
            json!({ "B": "%" }),
            json!({ "S": "a", "N": "1" }),
            json!({ "M": {} }),
            json!({ "NULL": true }),
        ] {
            assert_eq!(item(&json!({ "a": value })), None, "{value}");
        }
        for image in [json!(null), json!([]), json!("text")] {
            assert_eq!(item(&image), None, "{image}");
        }
    }

    #[test]
    fn a_record_fails_alone_or_with_all_after_it() {
        for (alone, stops, expected) in [
            (vec![], vec![], vec![]),
            (vec![1], vec![], vec![1]),
            (vec![], vec![3], vec![3, 4]),
            (vec![1, 4], vec![3], vec![1, 3, 4]),
            (vec![], vec![4, 2, 3], vec![2, 3, 4]),
            (vec![], vec![0], vec![0, 1, 2, 3, 4]),
        ] {
            let mut failures = Failures::default();
            alone.iter().for_each(|at| failures.add(*at));
            stops.iter().for_each(|at| failures.stop_at(*at));
            assert_eq!(failures.of(5).collect::<Vec<_>>(), expected, "{alone:?} {stops:?}");
        }
    }
}
