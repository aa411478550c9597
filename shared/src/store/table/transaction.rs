//! Writing several rows, of several tables: all or nothing.

use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    types::{self, AttributeValue, TransactWriteItem},
};
use rand::rngs::SysRng;

use super::{
    Change, Check, Condition, Delete, Put, Row, Table, Update,
    expression::{names, placeholders},
    handle::{Boxed, Handle, failed},
};
use crate::{
    domain::{crypto::secret::random_bytes, time::Timestamp},
    fault::Fault,
    store::{item::Item, retry::Rounds},
};

/// Writes that are made together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    client: Option<Client>,
    items: Vec<TransactWriteItem>,
}

/// A write, by the key of its row.
enum Write {
    Put(Item, Option<Condition>),
    Update(AttributeValue, Change),
    Delete(AttributeValue, Option<Condition>),
    Check(Item, Condition),
}

impl Write {
    fn item(self, table: &Handle) -> TransactWriteItem {
        let item = TransactWriteItem::builder();
        match self {
            Self::Put(row, condition) => {
                let put = types::Put::builder().table_name(&table.name).set_item(Some(row));
                let put = match condition {
                    None => put,
                    Some(Condition { expression, values }) => put
                        .condition_expression(expression)
                        .set_expression_attribute_names(names(table.key, &[expression]))
                        .set_expression_attribute_values(placeholders(values)),
                };
                item.put(put.build().expect("a put with its table and its row"))
            }
            Self::Update(
                key,
                Change {
                    update,
                    condition,
                    values,
                },
            ) => {
                let change = types::Update::builder()
                    .table_name(&table.name)
                    .key(table.key, key)
                    .update_expression(update)
                    .condition_expression(condition)
                    .set_expression_attribute_names(names(table.key, &[update, condition]))
                    .set_expression_attribute_values(placeholders(values));
                item.update(change.build().expect("an update with its table, its key and its expression"))
            }
            Self::Delete(key, condition) => {
                let delete = types::Delete::builder().table_name(&table.name).key(table.key, key);
                let delete = match condition {
                    None => delete,
                    Some(Condition { expression, values }) => delete
                        .condition_expression(expression)
                        .set_expression_attribute_names(names(table.key, &[expression]))
                        .set_expression_attribute_values(placeholders(values)),
                };
                item.delete(delete.build().expect("a delete with its table and its key"))
            }
            Self::Check(key, Condition { expression, values }) => {
                let check = types::ConditionCheck::builder()
                    .table_name(&table.name)
                    .set_key(Some(key))
                    .condition_expression(expression)
                    .set_expression_attribute_names(names(table.key, &[expression]))
                    .set_expression_attribute_values(placeholders(values));
                item.condition_check(check.build().expect("a check with its table, its key and its condition"))
            }
        }
        .build()
    }
}

/// One write of a transaction, to find out whether its condition failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step(usize);

/// The outcome of a [`Transaction`].
#[derive(Debug)]
pub enum Committed {
    /// All of it was written.
    Yes,
    /// Nothing was written: the conditions of these steps did not hold.
    No(Vec<Step>),
}

impl Transaction {
    /// Writes a row if none exists; an expired one does not count.
    pub fn put_new<R: Row>(&mut self, table: &Table<R, Put>, row: &R, now: Timestamp) -> Step {
        self.put_if(table, row, Condition::no_live_row(now))
    }

    /// Writes a row, replacing any existing one.
    pub fn put<R: Row>(&mut self, table: &Table<R, Put>, row: &R) -> Step {
        self.add(&table.handle, Write::Put(row.to_item(), None))
    }

    /// Replaces a row if the condition holds.
    pub fn put_if<R: Row>(&mut self, table: &Table<R, Put>, row: &R, condition: Condition) -> Step {
        self.add(&table.handle, Write::Put(row.to_item(), Some(condition)))
    }

    /// Makes a change, if its condition holds.
    pub fn update<R: Row>(&mut self, table: &Table<R, Update>, id: &R::Id, change: Change) -> Step {
        self.add(&table.handle, Write::Update(R::key(id), change))
    }

    /// Deletes a row, if it exists.
    pub fn delete<R: Row>(&mut self, table: &Table<R, Delete>, id: &R::Id) -> Step {
        self.add(&table.handle, Write::Delete(R::key(id), None))
    }

    /// Deletes a row if the condition holds.
    pub fn delete_if<R: Row>(&mut self, table: &Table<R, Delete>, id: &R::Id, condition: Condition) -> Step {
        self.add(&table.handle, Write::Delete(R::key(id), Some(condition)))
    }

    /// Makes the transaction depend on a condition on a row that it does not write.
    pub fn check<R: Row>(&mut self, table: &Table<R, Check>, id: &R::Id, condition: Condition) -> Step {
        let key = Item::from([(R::KEY.to_owned(), R::key(id))]);
        self.add(&table.handle, Write::Check(key, condition))
    }

    /// Makes the transaction depend on a row not being there.
    pub fn expect_none<R: Row>(&mut self, table: &Table<R, Check>, row: &R) -> Step {
        let mut key = row.to_item();
        key.retain(|name, _| name == R::KEY || name == R::SORT);
        self.add(&table.handle, Write::Check(key, Condition::no_row()))
    }

    /// Deletes a row that must exist and not have expired (single use).
    pub fn use_up<R: Row>(&mut self, table: &Table<R, Delete>, id: &R::Id, now: Timestamp) -> Step {
        self.delete_if(table, id, Condition::live_row(now))
    }

    /// Adds the writes of another transaction, after its own.
    pub fn append(&mut self, other: Self) {
        self.client = self.client.take().or(other.client);
        self.items.extend(other.items);
    }

    fn add(&mut self, table: &Handle, write: Write) -> Step {
        self.client.get_or_insert_with(|| table.client.clone());
        self.items.push(write.item(table));
        Step(self.items.len() - 1)
    }

    /// Commits. The transaction has its own idempotency token, so that a retry after a lost response succeeds, and is
    /// not applied twice. Conflicts with other transactions are retried.
    ///
    /// # Errors
    /// [`Fault`] when the store fails, or every retry met a conflict.
    #[must_use]
    pub fn commit(self) -> Boxed<'static, Committed> {
        Box::pin(self.commit_in_turn())
    }

    async fn commit_in_turn(self) -> Result<Committed, Fault> {
        let Some(client) = self.client else {
            return Ok(Committed::Yes);
        };
        let token = random_bytes::<16>(&mut SysRng)?;
        let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        let request = client.transact_write_items().client_request_token(token);
        let request = request.set_transact_items(Some(self.items));
        let mut rounds = Rounds::new(TRIES);
        while rounds.begin().await {
            let error = match request.clone().send().await {
                Ok(_) => return Ok(Committed::Yes),
                Err(error) => error,
            };
            match error.as_service_error().map(why) {
                Some(Cancelled::Refused(steps)) => return Ok(Committed::No(steps)),
                Some(Cancelled::InTheWay) => {}
                Some(Cancelled::Failed) | None => return Err(failed("TransactWriteItems", None, &error)),
            }
        }
        Err(Fault::Contended("TransactWriteItems met other transactions every time".into()))
    }
}

/// The outcome of a transaction whose every response was lost: `found` is the result of a consistent read of a row that
/// only this transaction can have written, such as a random digest or id. So the caller who consumed a single-use value
/// gets a success, and no other caller does (R17). `found` is only awaited if there was no response.
///
/// # Errors
/// The first [`Fault`], when the row is not found, or reading fails as well.
pub async fn settled(
    committed: Result<Committed, Fault>,
    found: impl Future<Output = Result<bool, Fault>>,
) -> Result<Committed, Fault> {
    match committed {
        Err(fault) if fault.is_transient() => match found.await {
            Ok(true) => Ok(Committed::Yes),
            Ok(false) | Err(_) => Err(fault),
        },
        done => done,
    }
}

/// Maximum number of attempts while others hold its rows.
const TRIES: u32 = 9;

/// Why a transaction was cancelled.
#[derive(Debug, PartialEq, Eq)]
enum Cancelled {
    /// The conditions of these steps did not hold.
    Refused(Vec<Step>),
    /// Others hold its rows, or it was throttled: transient, nothing is decided.
    InTheWay,
    /// Something else.
    Failed,
}

fn why(error: &TransactWriteItemsError) -> Cancelled {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return Cancelled::Failed;
    };
    let codes = cancelled.cancellation_reasons().iter();
    let codes: Vec<_> = codes.map(|reason| reason.code().unwrap_or("None")).collect();
    // A failed condition is final.
    let refused = codes.iter().enumerate().filter(|(_, code)| **code == "ConditionalCheckFailed");
    let refused: Vec<_> = refused.map(|(index, _)| Step(index)).collect();
    let is_transient = |code: &&str| IN_THE_WAY.contains(code) || *code == "None";
    match refused.is_empty() {
        false => Cancelled::Refused(refused),
        true if !codes.is_empty() && codes.iter().all(is_transient) => Cancelled::InTheWay,
        true => Cancelled::Failed,
    }
}

/// Transient reasons, independent of the content of the write.
const IN_THE_WAY: &[&str] = &[
    "TransactionConflict",
    "ProvisionedThroughputExceeded",
    "ThrottlingError",
];

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::{CancellationReason, error::TransactionCanceledException};

    use super::*;

    #[test]
    fn a_transaction_is_retried_unless_a_condition_failed() {
        for (codes, expected) in [
            (&["None", "ConditionalCheckFailed"][..], Cancelled::Refused(vec![Step(1)])),
            (
                &[
                    "ConditionalCheckFailed",
                    "TransactionConflict",
                    "ConditionalCheckFailed",
                ],
                Cancelled::Refused(vec![Step(0), Step(2)]),
            ),
            (&["TransactionConflict", "None"], Cancelled::InTheWay),
            (&["ThrottlingError", "ProvisionedThroughputExceeded"], Cancelled::InTheWay),
            (&["TransactionConflict", "ValidationError"], Cancelled::Failed),
            (&["AccessDenied"], Cancelled::Failed),
            (&[], Cancelled::Failed),
        ] {
            let reasons = codes.iter().map(|code| CancellationReason::builder().code(*code).build());
            let cancelled = TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons.collect()));
            let error = TransactWriteItemsError::TransactionCanceledException(cancelled.build());
            assert_eq!(why(&error), expected, "{codes:?}");
        }
    }
}
