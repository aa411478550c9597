//! A transaction that holds the row for a moment: worth another try, though the SDK's own rules do not say so.

use std::{error::Error, fmt, marker::PhantomData};

use aws_sdk_dynamodb::{
    config::{
        Builder,
        interceptors::InterceptorContext,
        retry::{ClassifyRetry, RetryAction},
    },
    error::ProvideErrorMetadata,
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError, transact_write_items::TransactWriteItemsError,
        update_item::UpdateItemError,
    },
};

/// Has the client try again after a conflict: nothing was written then.
#[must_use]
pub fn retried(config: Builder) -> Builder {
    config
        .retry_classifier(Cancelled)
        .retry_classifier(Conflict::<DeleteItemError>(PhantomData))
        .retry_classifier(Conflict::<PutItemError>(PhantomData))
        .retry_classifier(Conflict::<UpdateItemError>(PhantomData))
}

struct Conflict<E>(PhantomData<fn() -> E>);

impl<E> fmt::Debug for Conflict<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conflict")
    }
}

impl<E: Error + ProvideErrorMetadata + Send + Sync + 'static> ClassifyRetry for Conflict<E> {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context
            .output_or_error()
            .and_then(Result::err)
            .and_then(|error| error.as_operation_error());
        match error
            .and_then(|error| error.downcast_ref::<E>())
            .and_then(ProvideErrorMetadata::code)
        {
            Some("TransactionConflictException") => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "transaction conflict"
    }
}

/// A transaction of our own that another one stood in the way of, and no condition.
#[derive(Debug)]
struct Cancelled;

impl ClassifyRetry for Cancelled {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context
            .output_or_error()
            .and_then(Result::err)
            .and_then(|error| error.as_operation_error())
            .and_then(|error| error.downcast_ref::<TransactWriteItemsError>());
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error else {
            return RetryAction::NoActionIndicated;
        };
        let codes: Vec<_> = cancelled
            .cancellation_reasons()
            .iter()
            .filter_map(|reason| reason.code())
            .collect();
        // What a condition decided stays decided; everything else (a conflict, throttling) passes.
        if codes.contains(&"ConditionalCheckFailed") || codes.contains(&"ValidationError") {
            RetryAction::NoActionIndicated
        } else {
            RetryAction::transient_error()
        }
    }

    fn name(&self) -> &'static str {
        "cancelled transaction"
    }
}
