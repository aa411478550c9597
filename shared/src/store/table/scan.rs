//! Scanning a table, a page at a time.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Condition, Row, Scan, Table,
    expression::{names, placeholders},
    handle::{Boxed, Handle},
};
use crate::{
    fault::Fault,
    store::item::{Item, bytes},
};

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
        let start = after.map(|Cursor(key)| bytes(key.as_slice()));
        let (items, last) = self.handle.scan(wanted, start, limit).await?;
        let next = last.map(|key| match key.get(R::KEY) {
            Some(AttributeValue::B(bytes)) => Ok(Cursor(bytes.as_ref().to_vec())),
            _ => Err(Fault::Corrupt(format!("{} has no binary key", self.handle.name))),
        });
        Ok(Page {
            rows: items.iter().map(|item| self.parse(item)).collect::<Result<_, _>>()?,
            next: next.transpose()?,
        })
    }
}

impl Handle {
    /// The items of a page, and the key of its last one.
    fn scan(
        &self,
        wanted: Option<Condition>,
        start: Option<AttributeValue>,
        limit: Option<i32>,
    ) -> Boxed<'_, (Vec<Item>, Option<Item>)> {
        let mut request = self
            .client
            .scan()
            .table_name(&self.name)
            .consistent_read(true)
            .set_limit(limit)
            .set_exclusive_start_key(start.map(|key| Item::from([(self.key.to_owned(), key)])));
        if let Some(Condition { expression, values }) = wanted {
            request = request
                .filter_expression(expression)
                .set_expression_attribute_names(names(self.key, &[expression]))
                .set_expression_attribute_values(placeholders(values));
        }
        Box::pin(async move {
            let answer = request.send().await.map_err(|error| self.fault("Scan", &error))?;
            Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_round_trips() {
        let cursor = Cursor(vec![0, 255, 7]);
        assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
        for text in ["", "=", "not base64!", &URL_SAFE_NO_PAD.encode([1; 65])] {
            assert_eq!(Cursor::parse(text), None, "{text:?}");
        }
    }
}
