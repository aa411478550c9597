//! Retries on a row held by a concurrent transaction, a transient conflict that the SDK's own rules do not retry. Our
//! own transactions are retried by [`super::table::Transaction::commit`].

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

/// Makes the client retry a single write after a conflict: nothing was written then.
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
        let error = context.output_or_error().and_then(Result::err).and_then(|error| error.as_operation_error());
        match error.and_then(|error| error.downcast_ref::<E>()).and_then(ProvideErrorMetadata::code) {
            Some("TransactionConflictException") => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "transaction conflict"
    }
}
