//! Writing several rows, of several tables: all of it or nothing.

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{self, AttributeValue, TransactWriteItem},
};

use super::{Change, Check, Condition, Put, Row, Table, Update, failed, names, values};
use crate::{domain::time::Timestamp, fault::Fault, store::table::Delete};

/// Writes that are made together or not at all.
#[derive(Debug, Default)]
pub struct Transaction {
    client: Option<Client>,
    items: Vec<TransactWriteItem>,
}

/// One write of a transaction, to ask whether its condition was what refused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step(usize);

/// What became of a [`Transaction`].
#[derive(Debug)]
pub enum Committed {
    /// All of it was written.
    Yes,
    /// Nothing was: the conditions of these steps did not hold.
    No(Vec<Step>),
}

impl Transaction {
    /// Writes a row where there is none; an expired one does not count.
    pub fn put_new<R: Row>(&mut self, table: &Table<R, Put>, row: &R, now: Timestamp) -> Step {
        let put = types::Put::builder()
            .table_name(&table.name)
            .set_item(Some(row.to_item()))
            .condition_expression("attribute_not_exists(#key) OR #ttl <= :now")
            .expression_attribute_names("#key", R::KEY)
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", AttributeValue::N(now.seconds().to_string()))
            .build()
            .expect("a put with its table and its row");
        self.add(&table.client, TransactWriteItem::builder().put(put).build())
    }

    /// Writes a row over whatever was there.
    pub fn put<R: Row>(&mut self, table: &Table<R, Put>, row: &R) -> Step {
        let put = types::Put::builder()
            .table_name(&table.name)
            .set_item(Some(row.to_item()))
            .build()
            .expect("a put with its table and its row");
        self.add(&table.client, TransactWriteItem::builder().put(put).build())
    }

    /// Makes a change, if its condition holds.
    pub fn update<R: Row>(&mut self, table: &Table<R, Update>, id: &R::Id, change: Change) -> Step {
        let update = types::Update::builder()
            .table_name(&table.name)
            .set_key(Some(Table::<R, Update>::key(id)))
            .update_expression(change.update)
            .condition_expression(change.condition)
            .set_expression_attribute_names(names(&[change.update, change.condition]))
            .set_expression_attribute_values(values(change.values))
            .build()
            .expect("an update with its table, its key and its expression");
        self.add(&table.client, TransactWriteItem::builder().update(update).build())
    }

    /// Deletes a row, if there is one.
    pub fn delete<R: Row>(&mut self, table: &Table<R, Delete>, id: &R::Id) -> Step {
        let delete = types::Delete::builder()
            .table_name(&table.name)
            .set_key(Some(Table::<R, Delete>::key(id)))
            .build()
            .expect("a delete with its table and its key");
        self.add(&table.client, TransactWriteItem::builder().delete(delete).build())
    }

    /// Deletes a row of which that holds.
    pub fn delete_if<R: Row>(&mut self, table: &Table<R, Delete>, id: &R::Id, condition: Condition) -> Step {
        let delete = types::Delete::builder()
            .table_name(&table.name)
            .set_key(Some(Table::<R, Delete>::key(id)))
            .condition_expression(condition.expression)
            .set_expression_attribute_names(names(&[condition.expression]))
            .set_expression_attribute_values(values(condition.values))
            .build()
            .expect("a delete with its table and its key");
        self.add(&table.client, TransactWriteItem::builder().delete(delete).build())
    }

    /// Has everything depend on what holds of a row that is not written.
    pub fn check<R: Row>(&mut self, table: &Table<R, Check>, id: &R::Id, condition: Condition) -> Step {
        let check = types::ConditionCheck::builder()
            .table_name(&table.name)
            .set_key(Some(Table::<R, Check>::key(id)))
            .condition_expression(condition.expression)
            .set_expression_attribute_names(names(&[condition.expression]))
            .set_expression_attribute_values(values(condition.values))
            .build()
            .expect("a check with its table, its key and its condition");
        self.add(
            &table.client,
            TransactWriteItem::builder().condition_check(check).build(),
        )
    }

    /// Deletes a row that must be there, and not be over.
    pub fn use_up<R: Row>(&mut self, table: &Table<R, Delete>, id: &R::Id, now: Timestamp) -> Step {
        let delete = types::Delete::builder()
            .table_name(&table.name)
            .set_key(Some(Table::<R, Delete>::key(id)))
            .condition_expression("#ttl > :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", AttributeValue::N(now.seconds().to_string()))
            .build()
            .expect("a delete with its table and its key");
        self.add(&table.client, TransactWriteItem::builder().delete(delete).build())
    }

    fn add(&mut self, client: &Client, item: TransactWriteItem) -> Step {
        self.client.get_or_insert_with(|| client.clone());
        self.items.push(item);
        Step(self.items.len() - 1)
    }

    /// Writes. The SDK gives the transaction a token of its own, so that its repetition after a lost answer is told
    /// that it was made, and is not made twice.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn commit(self) -> Result<Committed, Fault> {
        let Some(client) = self.client else {
            return Ok(Committed::Yes);
        };
        let request = client.transact_write_items().set_transact_items(Some(self.items));
        match request.send().await {
            Ok(_) => Ok(Committed::Yes),
            Err(error) => refused(&error)
                .map(Committed::No)
                .ok_or_else(|| failed("TransactWriteItems", &error)),
        }
    }
}

/// The steps whose conditions did not hold, if that is why.
fn refused<H>(error: &SdkError<TransactWriteItemsError, H>) -> Option<Vec<Step>> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error.as_service_error()? else {
        return None;
    };
    let reasons = cancelled.cancellation_reasons().iter().enumerate();
    let steps: Vec<_> = reasons
        .filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"))
        .map(|(index, _)| Step(index))
        .collect();
    (!steps.is_empty()).then_some(steps)
}
