//! The loop between API Gateway and an endpoint. Only the thin wrapper that erases the endpoint's type is generic, so
//! that twenty binaries share one copy of the rest and link quickly.
//!
//! Events are parsed here and not by `lambda_http`'s own adapter: that one panics on a Host header or a path that is
//! not a valid URL, before our code could send an error in a dialect.

use std::{
    cell::Cell,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::LocalBoxFuture};
use lambda_http::{
    Body,
    aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse},
    http::{HeaderMap, HeaderName, HeaderValue},
};
use lambda_runtime::{Context, LambdaEvent, service_fn};

use super::{
    call::Call,
    reply::{Answer, Dialect, Reply},
};
use crate::{
    domain::time::Timestamp,
    fault::Fault,
    observe::{self, End, Family, Request},
};

/// Time limit of an endpoint for one request. The functions' timeout in template.yaml is longer, so that callers get
/// the dialect's response and not the gateway's.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// Time limit for work that must be undone if it fails: the rest of the time is for undoing it.
const ACT_WITHIN: Duration = Duration::from_secs(6);

/// Runs work that must be undone if it fails, and fails it early enough for that.
///
/// # Errors
/// Those of the work; a [`Fault`] when it times out.
pub async fn in_time<T, E: From<Fault>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    // Boxed, because it is most of an endpoint: the awaiting future need not contain it.
    let done = tokio::time::timeout(ACT_WITHIN, Box::pin(work)).await;
    done.unwrap_or_else(|_| Err(Fault::TooSlow("the work").into()))
}

/// How long a caller waits for work that the response does not depend on.
const BRIEFLY: Duration = Duration::from_millis(500);

/// Runs work that the response does not depend on; `None` when it timed out.
pub async fn briefly<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(BRIEFLY, work).await.ok()
}

/// Waits for another request's work: a quarter of a second.
#[expect(
    clippy::disallowed_methods,
    reason = "another request decides within that time, and nothing tells of it"
)]
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(250)).await;
}

/// What a function does with a call. Its fields are all that it can access.
pub trait Endpoint: 'static {
    /// The dialect that it speaks.
    type Error: Dialect;

    /// Handles a call.
    fn answer(&self, call: &Call) -> impl Future<Output = Result<Answer, Self::Error>>;
}

/// An endpoint of any type.
pub trait AnyEndpoint {
    /// The reply to a call in any case, within the time limit.
    fn reply<'a>(&'a self, call: &'a Call, within: Duration) -> LocalBoxFuture<'a, Reply>;

    /// The family that its calls' metrics count in.
    fn family(&self) -> Option<Family>;
}

impl<E: Endpoint> AnyEndpoint for E {
    fn reply<'a>(&'a self, call: &'a Call, within: Duration) -> LocalBoxFuture<'a, Reply> {
        Box::pin(async move {
            let answer = async {
                call.expect_time()?;
                call.body()?;
                call.expect_no_encoding()?;
                self.answer(call).await
            };
            // A panic in one call is that call's 500; the process continues.
            let answer = tokio::time::timeout(within, AssertUnwindSafe(answer).catch_unwind()).await;
            let answer = match answer {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(Fault::Bug("the handler panicked".into()).into()),
                Err(_) => Err(Fault::TooSlow("the answer").into()),
            };
            let reply = answer.map_or_else(|error| error.reply(call), Reply::from);
            reply.with_media_type(E::Error::MEDIA_TYPE)
        })
    }

    fn family(&self) -> Option<Family> {
        E::Error::FAMILY
    }
}

/// Serves calls until the sandbox ends; `clock` is the system's.
///
/// # Errors
/// When the runtime API cannot be reached.
pub async fn serve(endpoint: Box<dyn AnyEndpoint>, clock: fn() -> Timestamp) -> Result<(), lambda_runtime::Error> {
    let endpoint = &endpoint;
    let served = &Cell::new(false);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<ApiGatewayV2httpRequest>| {
        let LambdaEvent { payload, context } = event;
        let began = now();
        let call = Call::new(payload, context.request_id.clone(), clock);
        let reply = endpoint.reply(&call, ANSWER_WITHIN).await;
        let (took, cold) = (began.elapsed(), !served.replace(true));
        log(&call, endpoint.family(), &reply, &context, took, cold);
        Ok::<_, lambda_runtime::Error>(response(reply))
    }))
    .await
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long it took is for the log; nothing is decided by it"
)]
fn now() -> Instant {
    Instant::now()
}

fn response(reply: Reply) -> ApiGatewayV2httpResponse {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    for (name, value) in reply.headers {
        let value = HeaderValue::try_from(value).expect("our header values are visible ASCII");
        headers.insert(HeaderName::from_static(name), value);
    }
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = reply.status.into();
    response.headers = headers;
    response.body = Some(Body::Text(reply.body));
    response
}

fn log(call: &Call, family: Option<Family>, reply: &Reply, context: &Context, took: Duration, cold: bool) {
    let end = match (&reply.fault, reply.status) {
        (_, ..400) => End::Done(reply.milestone),
        (None, 429) => End::Refused { throttled: true },
        (None, ..500) => End::Refused { throttled: false },
        (Some(_), _) | (None, _) => End::Faulty,
    };
    // `Root=1-…;Parent=…;Sampled=1`
    let trace = context.xray_trace_id.as_deref().unwrap_or_default();
    let trace_id = trace.split(';').find_map(|part| part.strip_prefix("Root="));
    observe::request(&Request {
        at: call.now,
        function: &context.env_config.function_name,
        request_id: &call.request_id,
        trace_id,
        route: &call.route,
        family,
        status: reply.status,
        outcome: reply.outcome,
        end,
        took,
        cold,
        actor: call.actor(),
        subject: call.subject(),
        link: call.link(),
        fault: reply.fault.as_ref(),
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        domain::crypto::secret::NoEntropy,
        http::{
            call::tests::call,
            dialects::{broadleaf, era, gitlab, mithril, plain, verify},
        },
    };

    struct Panics;
    impl Endpoint for Panics {
        type Error = gitlab::Error;
        async fn answer(&self, _: &Call) -> Result<Answer, gitlab::Error> {
            panic!("a bug")
        }
    }

    struct Hangs;
    impl Endpoint for Hangs {
        type Error = gitlab::Error;
        async fn answer(&self, _: &Call) -> Result<Answer, gitlab::Error> {
            std::future::pending().await
        }
    }

    async fn check(endpoint: &dyn AnyEndpoint, body: &str, status: u16, text: &str) {
        // Twice: a failed call does not affect the next.
        for _ in 0..2 {
            let call = call(&json!({ "body": body, "headers": { "host": "a host that makes no URL [" } }));
            let reply = endpoint.reply(&call, Duration::from_millis(5)).await;
            assert_eq!((reply.status, reply.body.as_str()), (status, text));
        }
    }

    const OURS: &str = r#"{"message":"500 Internal Server Error"}"#;

    #[tokio::test]
    async fn a_panic_is_a_500_in_the_dialect() {
        check(&Panics, "", 500, OURS).await;
    }

    #[tokio::test]
    async fn a_timeout_is_a_503_in_the_dialect() {
        check(&Hangs, "", 503, r#"{"message":"503 Service Unavailable"}"#).await;
    }

    #[test]
    fn a_generator_that_fails_is_a_503_in_every_dialect() {
        let call = call(&json!({}));
        let fault = || Fault::from(NoEntropy);
        for reply in [
            gitlab::Error::from(NoEntropy).said_as(gitlab::StoreFailed::Create).reply(&call),
            era::Error::from(fault()).reply(&call),
            broadleaf::Error::from(fault()).reply(&call),
            mithril::Error::from(fault()).reply(&call),
            verify::Error::from(fault()).reply(&call),
            plain::Error::from(fault()).reply(&call),
        ] {
            assert_eq!(reply.status, 503, "{reply:?}");
            assert!(reply.headers.contains(&("retry-after", "5".to_owned())), "{reply:?}");
            assert!(reply.fault.is_some(), "{reply:?}");
        }
    }

    #[tokio::test]
    async fn an_oversized_body_does_not_reach_a_handler() {
        let body = "x".repeat(20_000);
        check(&Panics, &body, 413, r#"{"message":"413 Request Entity Too Large"}"#).await;
    }

    #[tokio::test]
    async fn an_event_without_a_time_does_not_reach_a_handler() {
        let event = ApiGatewayV2httpRequest::default();
        let call = Call::new(event, "i".into(), || Timestamp::from_seconds(1_700_000_000));
        let reply = Panics.reply(&call, Duration::from_millis(5)).await;
        assert_eq!((reply.status, reply.body.as_str()), (500, OURS));
        let fault = reply.fault.expect("it is logged").to_string();
        assert!(fault.contains("timeEpoch"), "{fault}");
        assert_eq!(call.now, Timestamp::from_seconds(1_700_000_000), "for the log");
    }
}
