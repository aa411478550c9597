//! Reading and writing the attributes of a row.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};

use crate::domain::{
    people::tenant::{Opt, Options},
    time::Timestamp,
};

/// A row as DynamoDB stores it.
pub type Item = HashMap<String, AttributeValue>;

/// An attribute that is missing or of the wrong type.
#[derive(Debug)]
pub struct Corrupt(pub &'static str);

/// A text attribute.
#[must_use]
pub fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
#[must_use]
pub fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A boolean attribute.
#[must_use]
pub fn flag(value: bool) -> AttributeValue {
    AttributeValue::Bool(value)
}

/// A binary attribute.
#[must_use]
pub fn bytes(value: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

/// A list of keys.
#[must_use]
pub fn keys(values: &[[u8; 32]]) -> AttributeValue {
    AttributeValue::L(values.iter().map(|key| bytes(*key)).collect())
}

/// A set of keys, which must not be empty.
#[must_use]
pub fn key_set(values: &BTreeSet<[u8; 32]>) -> AttributeValue {
    AttributeValue::Bs(values.iter().map(|key| Blob::new(*key)).collect())
}

/// A list of maps.
#[must_use]
pub fn maps(values: impl Iterator<Item = Item>) -> AttributeValue {
    AttributeValue::L(values.map(AttributeValue::M).collect())
}

/// A time attribute: whole seconds, as DynamoDB's TTL requires.
#[must_use]
pub fn time(value: Timestamp) -> AttributeValue {
    number(value.seconds())
}

/// A user's custom fields, as a map.
#[must_use]
pub fn options(value: &Options) -> AttributeValue {
    let entries = value.iter().map(|(name, opt)| {
        let value = match opt {
            Opt::Flag(value) => flag(*value),
            Opt::Number(number) => AttributeValue::N(number.to_string()),
            Opt::Text(value) => text(value),
        };
        (name.clone(), value)
    });
    AttributeValue::M(entries.collect())
}

fn option(value: &AttributeValue) -> Option<Opt> {
    match value {
        AttributeValue::Bool(flag) => Some(Opt::Flag(*flag)),
        AttributeValue::N(number) => number.parse().ok().map(Opt::Number),
        AttributeValue::S(text) => Some(Opt::Text(text.clone())),
        _ => None,
    }
}

/// A row being written, attribute by attribute.
#[derive(Debug, Default)]
pub struct Writer(Item);

impl Writer {
    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: AttributeValue) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// Adds an attribute, if there is one: a row without a value has no attribute for it.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The row.
    #[must_use]
    pub fn item(self) -> Item {
        self.0
    }
}

/// A row being read.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(pub &'a Item);

impl<'a> Reader<'a> {
    /// A text attribute.
    ///
    /// # Errors
    /// [`Corrupt`] when it is missing or of another type; likewise below.
    pub fn text(self, name: &'static str) -> Result<&'a str, Corrupt> {
        self.find(name, |value| value.as_s().ok().map(String::as_str))
    }

    /// A number attribute.
    ///
    /// # Errors
    /// [`Corrupt`], also when it does not fit its type.
    pub fn number<T: TryFrom<u64>>(self, name: &'static str) -> Result<T, Corrupt> {
        self.find(name, |value| value.as_n().ok()?.parse::<u64>().ok()?.try_into().ok())
    }

    /// A boolean attribute.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn flag(self, name: &'static str) -> Result<bool, Corrupt> {
        self.find(name, |value| value.as_bool().ok().copied())
    }

    /// A binary attribute.
    ///
    /// # Errors
    /// [`Corrupt`], also when it has not the length of its type.
    pub fn bytes<T: TryFrom<&'a [u8]>>(self, name: &'static str) -> Result<T, Corrupt> {
        self.find(name, |value| value.as_b().ok()?.as_ref().try_into().ok())
    }

    /// A time attribute.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn time(self, name: &'static str) -> Result<Timestamp, Corrupt> {
        self.number(name).map(Timestamp::from_seconds)
    }

    /// A list of texts.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn texts(self, name: &'static str) -> Result<Vec<&'a str>, Corrupt> {
        let one = |value: &'a AttributeValue| value.as_s().ok().map(String::as_str);
        self.find(name, |value| value.as_l().ok()?.iter().map(one).collect())
    }

    /// A list of keys.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn keys(self, name: &'static str) -> Result<Vec<[u8; 32]>, Corrupt> {
        let one = |value: &AttributeValue| value.as_b().ok()?.as_ref().try_into().ok();
        self.find(name, |value| value.as_l().ok()?.iter().map(one).collect())
    }

    /// A set of keys.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn key_set(self, name: &'static str) -> Result<BTreeSet<[u8; 32]>, Corrupt> {
        let one = |value: &Blob| value.as_ref().try_into().ok();
        self.find(name, |value| value.as_bs().ok()?.iter().map(one).collect())
    }

    /// A list of maps.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn maps(self, name: &'static str) -> Result<impl Iterator<Item = Self>, Corrupt> {
        let one = |value: &'a AttributeValue| value.as_m().ok().map(Reader);
        let maps: Vec<_> = self.find(name, |value| value.as_l().ok()?.iter().map(one).collect::<Option<_>>())?;
        Ok(maps.into_iter())
    }

    /// A map.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn map(self, name: &'static str) -> Result<&'a Item, Corrupt> {
        self.find(name, |value| value.as_m().ok())
    }

    /// A map of options.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn options(self, name: &'static str) -> Result<Options, Corrupt> {
        let entry = |(name, value): (&String, &AttributeValue)| Some((name.clone(), option(value)?));
        self.map(name)?.iter().map(entry).collect::<Option<_>>().ok_or(Corrupt(name))
    }

    /// An attribute, parsed by `parse`.
    ///
    /// # Errors
    /// [`Corrupt`] also when `parse` returns `None`.
    pub fn parsed<T>(self, name: &'static str, parse: impl FnOnce(&'a str) -> Option<T>) -> Result<T, Corrupt> {
        self.text(name).and_then(|text| parse(text).ok_or(Corrupt(name)))
    }

    /// An attribute that a row may lack, read by `read`.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn optional<T>(
        self,
        name: &'static str,
        read: impl FnOnce(Self, &'static str) -> Result<T, Corrupt>,
    ) -> Result<Option<T>, Corrupt> {
        self.has(name).then(|| read(self, name)).transpose()
    }

    /// Whether the row has the attribute.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn find<T>(self, name: &'static str, read: impl FnOnce(&'a AttributeValue) -> Option<T>) -> Result<T, Corrupt> {
        self.0.get(name).and_then(read).ok_or(Corrupt(name))
    }
}
