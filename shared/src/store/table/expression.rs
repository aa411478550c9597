//! Expressions of DynamoDB, and the values of their placeholders. Each is defined next to the row's attributes, in
//! [`crate::store::rows`].

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::time::Timestamp,
    store::item::{Item, number},
};

/// A change to one row.
#[derive(Debug)]
pub struct Change {
    /// An update expression.
    pub update: &'static str,
    /// The condition of the update; DynamoDB checks it atomically.
    pub condition: &'static str,
    /// The values of the expressions' placeholders.
    pub values: Vec<(&'static str, AttributeValue)>,
}

/// A condition on a row.
#[derive(Debug)]
pub struct Condition {
    /// A condition expression.
    pub expression: &'static str,
    /// The values of its placeholders.
    pub values: Vec<(&'static str, AttributeValue)>,
}

impl Condition {
    /// No row exists, or an expired one.
    pub(super) fn no_live_row(now: Timestamp) -> Self {
        Self {
            expression: "attribute_not_exists(#key) OR #ttl <= :now",
            values: vec![(":now", number(now.seconds()))],
        }
    }

    /// No row exists.
    pub(super) fn no_row() -> Self {
        Self {
            expression: "attribute_not_exists(#key)",
            values: Vec::new(),
        }
    }

    /// A row exists and has not expired.
    pub(super) fn live_row(now: Timestamp) -> Self {
        Self {
            expression: "#ttl > :now",
            values: vec![(":now", number(now.seconds()))],
        }
    }
}

/// Attributes whose names DynamoDB reserves are written with a `#`, and so is the key. It rejects names that no
/// expression uses.
pub(super) fn names(key: &str, expressions: &[&str]) -> Option<HashMap<String, String>> {
    let reserved = ["at", "domain", "owner", "ttl", "value"].map(|name| (name, name));
    let names: HashMap<_, _> = reserved
        .into_iter()
        .chain([("key", key)])
        .map(|(placeholder, name)| (format!("#{placeholder}"), name.to_owned()))
        .filter(|(placeholder, _)| expressions.iter().any(|text| text.contains(placeholder)))
        .collect();
    (!names.is_empty()).then_some(names)
}

/// DynamoDB rejects an empty set of values.
pub(super) fn placeholders(values: Vec<(&'static str, AttributeValue)>) -> Option<Item> {
    let values = values.into_iter().map(|(name, value)| (name.to_owned(), value));
    let values = values.collect::<HashMap<_, _>>();
    (!values.is_empty()).then_some(values)
}
