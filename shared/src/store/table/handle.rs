//! The calls of DynamoDB that concern a single row. They name no type of row and return boxed futures, so that the
//! library holds the one copy of their code: the body of an `async fn` is compiled again in every crate that awaits it.

use aws_sdk_dynamodb::{
    Client, Config,
    config::retry::RetryConfig,
    error::{ProvideErrorMetadata, SdkError},
    operation::{delete_item::DeleteItemError, put_item::PutItemError, update_item::UpdateItemError},
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use futures_util::future::LocalBoxFuture;

use super::expression::{Change, Condition, names, placeholders};
use crate::{
    fault::{Fault, failure_of},
    store::item::Item,
};

/// A call whose code is in the library.
pub(super) type Boxed<'a, T> = LocalBoxFuture<'a, Result<T, Fault>>;

/// A table, whatever its rows are.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    pub client: Client,
    pub name: String,
    /// The key attribute.
    pub key: &'static str,
}

/// The outcome of a write.
pub(super) enum Written {
    /// It was made; an update returns the new row.
    Yes(Option<Item>),
    /// The condition did not hold; this is the row that it was checked against.
    No(Option<Item>),
}

impl Handle {
    pub fn get(&self, key: AttributeValue) -> Boxed<'_, Option<Item>> {
        let request = self.client.get_item().table_name(&self.name).key(self.key, key);
        Box::pin(async move {
            let answer = request.consistent_read(true).send().await;
            answer.map(|answer| answer.item).map_err(|error| self.fault("GetItem", &error))
        })
    }

    pub fn put(&self, row: Item, condition: Option<Condition>) -> Boxed<'_, Written> {
        let mut request = self.client.put_item().table_name(&self.name).set_item(Some(row));
        if let Some(Condition { expression, values }) = condition {
            request = request
                .condition_expression(expression)
                .set_expression_attribute_names(names(self.key, &[expression]))
                .set_expression_attribute_values(placeholders(values))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        }
        Box::pin(async move {
            let error = match request.send().await {
                Ok(_) => return Ok(Written::Yes(None)),
                Err(error) => error,
            };
            match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => Ok(Written::No(refused.item.clone())),
                _ => Err(self.fault("PutItem", &error)),
            }
        })
    }

    pub fn delete(&self, key: AttributeValue, condition: Option<Condition>) -> Boxed<'_, Written> {
        let mut request = self.client.delete_item().table_name(&self.name).key(self.key, key);
        if let Some(Condition { expression, values }) = condition {
            request = request
                .condition_expression(expression)
                .set_expression_attribute_names(names(self.key, &[expression]))
                .set_expression_attribute_values(placeholders(values));
        }
        Box::pin(async move {
            let error = match request.send().await {
                Ok(_) => return Ok(Written::Yes(None)),
                Err(error) => error,
            };
            match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(refused)) => {
                    Ok(Written::No(refused.item.clone()))
                }
                _ => Err(self.fault("DeleteItem", &error)),
            }
        })
    }

    /// `retries`: whether a request that may have been lost is sent again.
    pub fn update(&self, key: AttributeValue, change: Change, retries: bool) -> Boxed<'_, Written> {
        let request = self
            .client
            .update_item()
            .table_name(&self.name)
            .key(self.key, key)
            .update_expression(change.update)
            .condition_expression(change.condition)
            .set_expression_attribute_names(names(self.key, &[change.update, change.condition]))
            .set_expression_attribute_values(placeholders(change.values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut request = request.customize();
        if !retries {
            request = request.config_override(Config::builder().retry_config(RetryConfig::disabled()));
        }
        Box::pin(async move {
            let error = match request.send().await {
                Ok(answer) => return Ok(Written::Yes(answer.attributes)),
                Err(error) => error,
            };
            match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    Ok(Written::No(refused.item.clone()))
                }
                _ => Err(self.fault("UpdateItem", &error)),
            }
        })
    }

    pub fn fault<E: ProvideErrorMetadata>(&self, operation: &'static str, error: &SdkError<E>) -> Fault {
        failed(operation, Some(&self.name), error)
    }
}

/// A failed call, and whether it is worth a retry.
pub(super) fn failed<E: ProvideErrorMetadata>(
    operation: &'static str,
    table: Option<&str>,
    error: &SdkError<E>,
) -> Fault {
    Fault::Store {
        operation,
        table: table.map(str::to_owned),
        code: failure_of(error),
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
