//! SES and SNS send a message for every request that reaches them, and neither accepts an idempotency token. A request
//! with an unknown outcome is therefore not retried (R65): the SDK's retry rules alone would retry it when the
//! connection breaks.

use std::{error::Error, fmt, marker::PhantomData};

use aws_sdk_ses::{
    config::{
        interceptors::InterceptorContext,
        retry::{ClassifyRetry, RetryAction},
    },
    error::{ConnectorError, ProvideErrorMetadata, SdkError},
};

/// Forbids a retry of an operation that fails with `E`, unless it is certain that nothing was sent.
pub struct AtMostOnce<E>(PhantomData<fn() -> E>);

impl<E> Default for AtMostOnce<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E> fmt::Debug for AtMostOnce<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtMostOnce")
    }
}

impl<E: Error + ProvideErrorMetadata + Send + Sync + 'static> ClassifyRetry for AtMostOnce<E> {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else {
            return RetryAction::NoActionIndicated;
        };
        let refused = error.as_operation_error().and_then(|error| error.downcast_ref::<E>()).is_some_and(is_refusal);
        // Whether it is worth a retry is left to the SDK's own rules.
        match refused || error.as_connector_error().is_some_and(never_connected) {
            true => RetryAction::NoActionIndicated,
            false => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "at most once"
    }
}

/// Whether the message may have been sent, though no response confirms it.
pub fn may_be_sent<E: ProvideErrorMetadata, H>(error: &SdkError<E, H>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::ServiceError(context) => !is_refusal(context.err()),
        SdkError::DispatchFailure(failure) => !failure.as_connector_error().is_some_and(never_connected),
        _ => true,
    }
}

/// Whether the service itself refused the request. A proxy or load balancer in between returns no error code of the
/// service, and does not know the outcome.
fn is_refusal(error: &impl ProvideErrorMetadata) -> bool {
    error.code().is_some()
}

fn never_connected(error: &ConnectorError) -> bool {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes
        .filter_map(|error| error.downcast_ref::<hyper_util::client::legacy::Error>())
        .any(hyper_util::client::legacy::Error::is_connect)
}
