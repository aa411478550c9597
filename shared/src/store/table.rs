//! The only code that calls DynamoDB.
//!
//! The type of a table states the permitted operations: a `Table<Passcode, Put>` writes passcodes and cannot read them.
//! The function's IAM policy states the same; a house test compares the two.

mod batch;
mod scan;
mod transaction;

use std::{collections::HashMap, marker::PhantomData};

use aws_sdk_dynamodb::{
    Client, Config,
    config::retry::RetryConfig,
    error::{ProvideErrorMetadata, SdkError},
    operation::update_item::{UpdateItemError, UpdateItemOutput, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};

pub use self::{
    batch::Batch,
    scan::{Cursor, Page},
    transaction::{Committed, Step, Transaction, settled},
};

use super::item::{Corrupt, Item};
use crate::{domain::time::Timestamp, fault::Fault};

/// A kind of row, and the table that stores it.
pub trait Row: Sized {
    /// The environment variable that names the table.
    const VARIABLE: &'static str;
    /// The key attribute.
    const KEY: &'static str;
    /// The sort key, in a table that has one; such rows are only ever written.
    const SORT: &'static str = "";
    /// The id of a row.
    type Id: ?Sized;

    /// The key's value.
    fn key(id: &Self::Id) -> AttributeValue;
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
/// The right to scan a table (`dynamodb:Scan`): for an operator's commands. No route needs it.
#[derive(Clone, Copy, Debug)]
pub enum Scan {}

/// A table of `R`, with the right `A`.
#[derive(Debug)]
pub struct Table<R, A> {
    client: Client,
    name: String,
    marker: PhantomData<fn() -> (R, A)>,
}

/// A change to one row. Both expressions are defined next to the row's attributes, in [`super::rows`].
#[derive(Debug)]
pub struct Change {
    /// An update expression.
    pub update: &'static str,
    /// The condition of the update; DynamoDB checks it atomically.
    pub condition: &'static str,
    /// The values of the expressions' placeholders.
    pub values: Vec<(&'static str, AttributeValue)>,
}

/// A condition on a row. The expression is defined next to the row's attributes, in [`super::rows`].
#[derive(Debug)]
pub struct Condition {
    /// A condition expression.
    pub expression: &'static str,
    /// The values of its placeholders.
    pub values: Vec<(&'static str, AttributeValue)>,
}

/// Attributes whose names DynamoDB reserves are written with a `#`. It rejects names that no expression uses.
fn names(expressions: &[&str]) -> Option<HashMap<String, String>> {
    let names: HashMap<_, _> = ["at", "domain", "owner", "ttl", "value"]
        .into_iter()
        .map(|name| (format!("#{name}"), name.to_owned()))
        .filter(|(placeholder, _)| expressions.iter().any(|text| text.contains(placeholder)))
        .collect();
    (!names.is_empty()).then_some(names)
}

/// DynamoDB rejects an empty set of values.
fn values(values: Vec<(&'static str, AttributeValue)>) -> Option<Item> {
    let values = values.into_iter().map(|(name, value)| (name.to_owned(), value));
    let values = values.collect::<HashMap<_, _>>();
    (!values.is_empty()).then_some(values)
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
            client,
            name,
            marker: PhantomData,
        }
    }

    fn fault<E: ProvideErrorMetadata>(&self, operation: &'static str, error: &SdkError<E>) -> Fault {
        failed(operation, Some(&self.name), error)
    }

    fn parse(&self, item: &Item) -> Result<R, Fault> {
        R::from_item(item)
            .map_err(|Corrupt(attribute)| Fault::Corrupt(format!("a row of {} has no good {attribute}", self.name)))
    }

    /// The row, unless it has expired.
    fn read(&self, item: &Item, now: Timestamp) -> Result<Option<R>, Fault> {
        let row = self.parse(item)?;
        Ok(Some(row).filter(|row| !row.ends_at().is_some_and(|end| end.is_expired(now))))
    }

    fn key(id: &R::Id) -> Item {
        HashMap::from([(R::KEY.to_owned(), R::key(id))])
    }
}

impl<R: Row> Table<R, Get> {
    /// The row of that id, read consistently; an expired one is absent.
    ///
    /// # Errors
    /// [`Fault`] when the store fails or the row is not as we write it.
    pub async fn get(&self, id: &R::Id, now: Timestamp) -> Result<Option<R>, Fault> {
        let request = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(Self::key(id)));
        let answer = request
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| self.fault("GetItem", &e))?;
        answer.item().map_or(Ok(None), |item| self.read(item, now))
    }
}

impl<R: Row> Table<R, Put> {
    /// Writes a row, replacing any existing one.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn put(&self, row: &R) -> Result<(), Fault> {
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row.to_item()));
        request.send().await.map(|_| ()).map_err(|e| self.fault("PutItem", &e))
    }

    /// Replaces a row if the condition holds; `false` when it does not.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn put_if(&self, row: &R, condition: Condition) -> Result<bool, Fault> {
        use aws_sdk_dynamodb::operation::put_item::PutItemError;
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row.to_item()))
            .condition_expression(condition.expression)
            .set_expression_attribute_names(names(&[condition.expression]))
            .set_expression_attribute_values(values(condition.values));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(self.fault("PutItem", &error)),
            },
        }
    }

    /// A write that always fails its condition. It takes as long as writing the row, so timing does not reveal that
    /// nothing is written.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn put_never(&self, row: &R) -> Result<(), Fault> {
        use aws_sdk_dynamodb::operation::put_item::PutItemError;
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row.to_item()))
            .condition_expression("attribute_exists(#key) AND attribute_not_exists(#key)")
            .expression_attribute_names("#key", R::KEY);
        match request.send().await {
            Ok(_) => Err(Fault::Bug("PutItem wrote what must not be written".into())),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(self.fault("PutItem", &error)),
            },
        }
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
        use aws_sdk_dynamodb::operation::put_item::PutItemError;
        let item = row.to_item();
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item.clone()))
            .condition_expression("attribute_not_exists(#key) OR #ttl <= :now")
            .expression_attribute_names("#key", R::KEY)
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", AttributeValue::N(now.seconds().to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match request.send().await {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => match refused.item() {
                    Some(other) if *other == item => Ok(None),
                    Some(other) => self.parse(other).map(Some),
                    None => Err(Fault::Bug("PutItem named no row that it was refused for".into())),
                },
                _ => Err(self.fault("PutItem", &error)),
            },
        }
    }
}

impl<R: Row> Table<R, Delete> {
    /// Deletes a row, if it exists.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn delete(&self, id: &R::Id) -> Result<(), Fault> {
        let request = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(Self::key(id)));
        request
            .send()
            .await
            .map(|_| ())
            .map_err(|e| self.fault("DeleteItem", &e))
    }

    /// Deletes a row if the condition holds; otherwise does nothing.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn delete_if(&self, id: &R::Id, condition: Condition) -> Result<(), Fault> {
        use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
        let request = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(Self::key(id)))
            .condition_expression(condition.expression)
            .set_expression_attribute_names(names(&[condition.expression]))
            .set_expression_attribute_values(values(condition.values));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(self.fault("DeleteItem", &error)),
            },
        }
    }
}

impl<R: Row> Table<R, Update> {
    /// Makes a change, if its condition holds.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn update(&self, id: &R::Id, change: Change, now: Timestamp) -> Result<Changed<R>, Fault> {
        let answer = self.change(id, change).send().await;
        self.changed(answer, now)
    }

    /// Makes a change like [`Self::update`], in a request that is sent once, without retries: when the condition did
    /// not hold, an earlier request whose response was lost cannot have made the change.
    ///
    /// # Errors
    /// [`Fault`] when the store fails: then the change may have been made.
    pub async fn update_once(&self, id: &R::Id, change: Change, now: Timestamp) -> Result<Changed<R>, Fault> {
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let answer = self.change(id, change).customize().config_override(once).send().await;
        self.changed(answer, now)
    }

    fn change(&self, id: &R::Id, change: Change) -> UpdateItemFluentBuilder {
        let mut request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(Self::key(id)))
            .update_expression(change.update)
            .condition_expression(change.condition)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        request = request.set_expression_attribute_names(names(&[change.update, change.condition]));
        // DynamoDB rejects an empty set of values.
        for (name, value) in change.values {
            request = request.expression_attribute_values(name, value);
        }
        request
    }

    fn changed(
        &self,
        answer: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
        now: Timestamp,
    ) -> Result<Changed<R>, Fault> {
        match answer {
            Ok(answer) => {
                let item = answer
                    .attributes
                    .ok_or_else(|| Fault::Bug("UpdateItem returned no row".into()))?;
                Ok(Changed::Yes(self.parse(&item)?))
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => Ok(Changed::No(
                    refused.item().map_or(Ok(None), |item| self.read(item, now))?,
                )),
                _ => Err(self.fault("UpdateItem", &error)),
            },
        }
    }
}

/// A failed call, and whether it is worth a retry.
fn failed<E: ProvideErrorMetadata>(operation: &'static str, table: Option<&str>, error: &SdkError<E>) -> Fault {
    Fault::Store {
        operation,
        table: table.map(str::to_owned),
        code: kind_of(error),
        is_transient: is_transient(error),
    }
}

/// Transient errors with a 4xx status: throttling, and conflicts with other requests.
const OVERLOADED: &[&str] = &[
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// Whether the error is transient: no response or an unreadable one, a server error, or throttling. Any other error is
/// a request that should not have been made, or that the role does not permit: a bug, which no retry fixes.
fn is_transient<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    match error {
        SdkError::ServiceError(context) => {
            let code = context.err().code().unwrap_or_default();
            context.raw().status().is_server_error() || OVERLOADED.contains(&code)
        }
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        _ => false,
    }
}

/// How a call failed, without its message: messages may quote values.
fn kind_of<E: ProvideErrorMetadata>(error: &SdkError<E>) -> String {
    match error {
        SdkError::ServiceError(context) => context.err().code().unwrap_or("an error without a code").to_owned(),
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        SdkError::DispatchFailure(_) => "no connection".to_owned(),
        SdkError::ResponseError(_) => "an unreadable answer".to_owned(),
        _ => "the request could not be made".to_owned(),
    }
}
