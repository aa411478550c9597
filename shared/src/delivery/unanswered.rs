//! A message whose request was not answered: SES and SNS send it anew for every request that they get, so a request that
//! may have arrived is not repeated. One that was answered with an error is.

use aws_smithy_runtime_api::client::{
    interceptors::context::InterceptorContext,
    retries::classifiers::{ClassifyRetry, RetryAction},
};

/// Forbids the repetition of what was not answered.
#[derive(Debug)]
pub struct Unanswered;

impl ClassifyRetry for Unanswered {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        match error.is_some_and(|error| error.as_operation_error().is_none()) {
            true => RetryAction::RetryForbidden,
            false => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "unanswered message"
    }
}
