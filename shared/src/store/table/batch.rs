//! Reading several rows at once.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::KeysAndAttributes};

use super::{
    BatchGet, Row, Table,
    handle::{Boxed, failed},
};
use crate::{
    domain::time::Timestamp,
    fault::Fault,
    store::{item::Item, retry::Rounds},
};

/// Maximum number of reads for unprocessed keys: DynamoDB leaves some when it is overloaded.
const READS: u32 = 5;

/// Several rows, of several tables, read consistently in one call.
#[derive(Default)]
pub struct Batch {
    client: Option<Client>,
    keys: HashMap<String, Vec<Item>>,
    found: Vec<(String, Item)>,
}

impl Batch {
    /// Adds a row to the batch.
    pub fn want<R: Row>(&mut self, table: &Table<R, BatchGet>, id: &R::Id) {
        let mut key = Item::from([(R::KEY.to_owned(), R::key(id))]);
        key.extend(R::sort(id).map(|sort| (R::SORT.to_owned(), sort)));
        let keys = self.keys.entry(table.handle.name.clone()).or_default();
        // DynamoDB rejects a batch that names a row twice.
        if !keys.contains(&key) {
            keys.push(key);
        }
        self.client.get_or_insert_with(|| table.handle.client.clone());
    }

    /// Reads the batch.
    ///
    /// # Errors
    /// [`Fault`] when the store fails, or leaves keys unprocessed every time.
    #[must_use]
    pub fn read(self) -> Boxed<'static, Self> {
        Box::pin(self.read_in_rounds())
    }

    async fn read_in_rounds(mut self) -> Result<Self, Fault> {
        let Some(client) = self.client.clone() else {
            return Ok(self);
        };
        let mut rounds = Rounds::new(READS);
        while rounds.begin().await {
            let wanted = self.keys.drain().map(|(table, keys)| {
                let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
                (table, keys.expect("a batch for a table holds keys"))
            });
            let request = client.batch_get_item().set_request_items(Some(wanted.collect()));
            let answer = request.send().await.map_err(|error| failed("BatchGetItem", None, &error))?;
            for (table, items) in answer.responses.unwrap_or_default() {
                self.found.extend(items.into_iter().map(|item| (table.clone(), item)));
            }
            for (table, keys) in answer.unprocessed_keys.unwrap_or_default() {
                self.keys.insert(table, keys.keys);
            }
            if self.keys.is_empty() {
                return Ok(self);
            }
        }
        Err(Fault::Contended("BatchGetItem left keys unprocessed every time".into()))
    }

    /// Whether a row of that id exists and has not expired: one read.
    ///
    /// # Errors
    /// [`Fault`] when the store fails, or the row is not as we write it.
    pub async fn finds<R: Row>(table: &Table<R, BatchGet>, id: &R::Id, now: Timestamp) -> Result<bool, Fault> {
        Ok(Self::one(table, id, now).await?.is_some())
    }

    /// One row: one read.
    ///
    /// # Errors
    /// [`Fault`] when the store fails, or the row is not as we write it.
    pub async fn one<R: Row>(table: &Table<R, BatchGet>, id: &R::Id, now: Timestamp) -> Result<Option<R>, Fault> {
        let mut batch = Self::default();
        batch.want(table, id);
        batch.read().await?.take(table, id, now)
    }

    /// The row of that id among those read; an expired one is absent.
    ///
    /// # Errors
    /// [`Fault`] when the row is not as we write it.
    pub fn take<R: Row>(&self, table: &Table<R, BatchGet>, id: &R::Id, now: Timestamp) -> Result<Option<R>, Fault> {
        let (key, sort) = (R::key(id), R::sort(id));
        let found = self.found.iter().find(|(name, item)| {
            let is_of_key = *name == table.handle.name && item.get(R::KEY) == Some(&key);
            is_of_key && (sort.is_none() || item.get(R::SORT) == sort.as_ref())
        });
        found.map_or(Ok(None), |(_, item)| table.read(item, now))
    }
}
