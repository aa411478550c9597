//! Scanning a table, a page at a time.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Condition, Row, Scan, Table, names};
use crate::fault::Fault;

/// Where a scan continues: after the row of this key. The scanned tables have binary keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

impl Cursor {
    /// As base64url (RFC 4648 §5, no padding).
    #[must_use]
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }

    /// Parses the output of [`Self::text`]: a key has 1 to 64 bytes here.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (1..=64).contains(&bytes.len()).then_some(Self(bytes))
    }
}

/// A page of rows.
#[derive(Debug)]
pub struct Page<R> {
    /// The rows, including expired ones: a scan lists everything stored.
    pub rows: Vec<R>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<Cursor>,
}

impl<R: Row> Table<R, Scan> {
    /// The rows of the next page that match the condition, read consistently. A page is as much as DynamoDB reads at
    /// once (1 MB), or `limit` rows, before filtering.
    ///
    /// # Errors
    /// [`Fault`] when the store fails or a row is not as we write it.
    pub async fn page(
        &self,
        wanted: Option<Condition>,
        after: Option<&Cursor>,
        limit: Option<i32>,
    ) -> Result<Page<R>, Fault> {
        let start = after.map(|Cursor(key)| {
            let key = AttributeValue::B(Blob::new(key.clone()));
            HashMap::from([(R::KEY.to_owned(), key)])
        });
        let mut request = self
            .client
            .scan()
            .table_name(&self.name)
            .consistent_read(true)
            .set_limit(limit)
            .set_exclusive_start_key(start);
        if let Some(Condition { expression, values }) = wanted {
            request = request
                .filter_expression(expression)
                .set_expression_attribute_names(names(&[expression]));
            for (name, value) in values {
                request = request.expression_attribute_values(name, value);
            }
        }
        let answer = request.send().await.map_err(|error| self.fault("Scan", &error))?;
        let next = answer.last_evaluated_key().map(|key| match key.get(R::KEY) {
            Some(AttributeValue::B(bytes)) => Ok(Cursor(bytes.as_ref().to_vec())),
            _ => Err(Fault::Corrupt(format!("{} has no binary key", self.name))),
        });
        Ok(Page {
            rows: answer
                .items()
                .iter()
                .map(|item| self.parse(item))
                .collect::<Result<_, _>>()?,
            next: next.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let cursor = Cursor(vec![0, 255, 7]);
        assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
        for text in ["", "=", "not base64!", &URL_SAFE_NO_PAD.encode([1; 65])] {
            assert_eq!(Cursor::parse(text), None, "{text:?}");
        }
    }
}
