//! The only code that calls DynamoDB.
//!
//! The type of a table states the permitted operations: a `Table<Passcode, Put>` writes passcodes and cannot read them.
//! The function's IAM policy states the same; a house test compares the two.

mod batch;
mod expression;
mod handle;
mod query;
mod scan;
mod transaction;

use std::marker::PhantomData;

use aws_sdk_dynamodb::{Client, types::AttributeValue};

pub use self::{
    batch::Batch,
    expression::{Change, Condition},
    query::{Range, Rows},
    scan::{Cursor, Page},
    transaction::{Committed, Step, Transaction, settled},
};

use self::handle::{Handle, Written};
use super::item::{Corrupt, Item};
use crate::{domain::time::Timestamp, fault::Fault};

/// A kind of row, and the table that stores it.
pub trait Row: Sized {
    /// The environment variable that names the table.
    const VARIABLE: &'static str;
    /// The key attribute.
    const KEY: &'static str;
    /// The sort key, in a table that has one; such rows are written whole.
    const SORT: &'static str = "";
    /// Whether rows last unless they say when they expire: the table survives the stack, with point-in-time recovery.
    const LASTS: bool = false;
    /// Whether the audit log records that the TTL sweep deleted an expired row.
    const IS_REPORTED: bool = true;
    /// Whether the table is a history that lasts, and whose stream carries each new row to `publish`: the audit log.
    const IS_PUBLISHED: bool = false;
    /// The id of a row.
    type Id: ?Sized;

    /// The key's value.
    fn key(id: &Self::Id) -> AttributeValue;
    /// The sort key's value, where an id names one row of a table with a sort key. Without it, such rows are read by
    /// [`Query`] only.
    fn sort(_id: &Self::Id) -> Option<AttributeValue> {
        None
    }
    /// The row as stored, including its key.
    fn to_item(&self) -> Item;
    /// Parses a stored row.
    ///
    /// # Errors
    /// [`Corrupt`] when an attribute is missing or malformed.
    fn from_item(item: &Item) -> Result<Self, Corrupt>;
    /// When the row expires; from then on it counts as absent, even before the TTL sweep deletes it. `None` for rows
    /// that do not expire.
    fn ends_at(&self) -> Option<Timestamp>;
}

/// The right to read several rows at once (`dynamodb:BatchGetItem`).
#[derive(Clone, Copy, Debug)]
pub enum BatchGet {}
/// The right to read one row (`dynamodb:GetItem`).
#[derive(Clone, Copy, Debug)]
pub enum Get {}
/// The right to write whole rows (`dynamodb:PutItem`).
#[derive(Clone, Copy, Debug)]
pub enum Put {}
/// The right to change rows (`dynamodb:UpdateItem`).
#[derive(Clone, Copy, Debug)]
pub enum Update {}
/// The right to delete rows (`dynamodb:DeleteItem`).
#[derive(Clone, Copy, Debug)]
pub enum Delete {}
/// The right to make a transaction depend on rows that it does not write (`dynamodb:ConditionCheckItem`).
#[derive(Clone, Copy, Debug)]
pub enum Check {}
/// The right to read the rows of one key in order (`dynamodb:Query`).
#[derive(Clone, Copy, Debug)]
pub enum Query {}
/// The right to scan a table (`dynamodb:Scan`): for an operator's commands. No route needs it.
#[derive(Clone, Copy, Debug)]
pub enum Scan {}

/// A table of `R`, with the right `A`.
#[derive(Debug)]
pub struct Table<R, A> {
    handle: Handle,
    marker: PhantomData<fn() -> (R, A)>,
}

/// The outcome of a [`Change`].
#[derive(Debug)]
pub enum Changed<R> {
    /// The change was made; this is the new row.
    Yes(R),
    /// The condition did not hold; this is the row that it was checked against.
    No(Option<R>),
}

impl<R: Row, A> Table<R, A> {
    /// The table of that name.
    #[must_use]
    pub fn new(client: Client, name: String) -> Self {
        Self {
            handle: Handle {
                client,
                name,
                key: R::KEY,
            },
            marker: PhantomData,
        }
    }

    fn parse(&self, item: &Item) -> Result<R, Fault> {
        R::from_item(item).map_err(|Corrupt(attribute)| {
            Fault::Corrupt(format!("a row of {} has no good {attribute}", self.handle.name))
        })
    }

    /// The row, unless it has expired.
    fn read(&self, item: &Item, now: Timestamp) -> Result<Option<R>, Fault> {
        let row = self.parse(item)?;
        Ok(Some(row).filter(|row| !row.ends_at().is_some_and(|end| end.is_expired(now))))
    }
}

impl<R: Row> Table<R, Get> {
    /// The row of that id, read consistently; an expired one is absent.
    ///
    /// # Errors
    /// [`Fault`] when the store fails or the row is not as we write it.
    pub async fn get(&self, id: &R::Id, now: Timestamp) -> Result<Option<R>, Fault> {
        let found = self.handle.get(R::key(id)).await?;
        found.map_or(Ok(None), |item| self.read(&item, now))
    }
}

impl<R: Row> Table<R, Put> {
    /// Writes a row, replacing any existing one.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn put(&self, row: &R) -> Result<(), Fault> {
        self.handle.put(row.to_item(), None).await.map(|_| ())
    }

    /// Replaces a row if the condition holds; `false` when it does not.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn put_if(&self, row: &R, condition: Condition) -> Result<bool, Fault> {
        let written = self.handle.put(row.to_item(), Some(condition)).await?;
        Ok(matches!(written, Written::Yes(_)))
    }

    /// Writes a row if none exists; an expired one does not count. `false` when one exists already. A row that equals
    /// this one in every attribute is our own write, whose response was lost.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn put_new(&self, row: &R, now: Timestamp) -> Result<bool, Fault> {
        self.claim(row, now).await.map(|other| other.is_none())
    }

    /// Writes a row like [`Self::put_new`], and returns the existing row, if any.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn claim(&self, row: &R, now: Timestamp) -> Result<Option<R>, Fault> {
        let item = row.to_item();
        match self.handle.put(item.clone(), Some(Condition::no_live_row(now))).await? {
            Written::Yes(_) => Ok(None),
            Written::No(Some(other)) if other == item => Ok(None),
            Written::No(Some(other)) => self.parse(&other).map(Some),
            Written::No(None) => Err(Fault::Bug("PutItem named no row that it was refused for".into())),
        }
    }
}

impl<R: Row> Table<R, Delete> {
    /// Deletes a row, if it exists.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn delete(&self, id: &R::Id) -> Result<(), Fault> {
        self.handle.delete(R::key(id), None).await.map(|_| ())
    }

    /// Deletes a row if the condition holds; otherwise does nothing.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn delete_if(&self, id: &R::Id, condition: Condition) -> Result<(), Fault> {
        self.handle.delete(R::key(id), Some(condition)).await.map(|_| ())
    }
}

impl<R: Row> Table<R, Update> {
    /// Makes a change, if its condition holds.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn update(&self, id: &R::Id, change: Change, now: Timestamp) -> Result<Changed<R>, Fault> {
        self.changed(self.handle.update(R::key(id), change, true).await?, now)
    }

    /// Makes a change like [`Self::update`], in a request that is sent once, without retries: when the condition did
    /// not hold, an earlier request whose response was lost cannot have made the change.
    ///
    /// # Errors
    /// [`Fault`] when the store fails: then the change may have been made.
    pub async fn update_once(&self, id: &R::Id, change: Change, now: Timestamp) -> Result<Changed<R>, Fault> {
        self.changed(self.handle.update(R::key(id), change, false).await?, now)
    }

    fn changed(&self, written: Written, now: Timestamp) -> Result<Changed<R>, Fault> {
        match written {
            Written::Yes(Some(item)) => Ok(Changed::Yes(self.parse(&item)?)),
            Written::Yes(None) => Err(Fault::Bug("UpdateItem returned no row".into())),
            Written::No(item) => Ok(Changed::No(item.map_or(Ok(None), |item| self.read(&item, now))?)),
        }
    }
}
