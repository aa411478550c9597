//! A transaction that holds the row for a moment: worth another try, though the SDK's own rules do not say so. Transactions of
//! our own are tried again by [`super::table::Transaction::commit`].

use std::{error::Error, fmt, marker::PhantomData};

use aws_sdk_dynamodb::{
    config::{
        Builder,
        interceptors::InterceptorContext,
        retry::{ClassifyRetry, RetryAction},
    },
    error::ProvideErrorMetadata,
    operation::{delete_item::DeleteItemError, put_item::PutItemError, update_item::UpdateItemError},
};

/// Has the client try a single write again after a conflict: nothing was written then.
#[must_use]
pub fn retried(config: Builder) -> Builder {
    config
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
