//! Floor 3: starts a function. Only wiring the function's struct is generic, so that the binaries share one copy of the
//! rest.

use std::process::ExitCode;

use futures_util::future::LocalBoxFuture;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use crate::{
    http::serve::{AnyEndpoint, Endpoint, serve},
    observe,
    runtime::{
        edge::{Edge, Refused, Wire, system_time},
        payload::Payload,
    },
};

/// `fn main` of a function: `main!(handler::Name)`, `main!(background handler::Name)` for one without a route.
#[macro_export]
macro_rules! main {
    (background $of:ty) => {
        fn main() -> std::process::ExitCode {
            $crate::start::run_background::<$of>()
        }
    };
    ($of:ty) => {
        fn main() -> std::process::ExitCode {
            $crate::start::run::<$of>()
        }
    };
}

/// A function without a route.
pub trait Background: 'static {
    /// Handles an event and returns the response.
    fn answer(&self, event: Payload, request_id: &str) -> impl Future<Output = Result<Value, Error>>;
}

/// A function without a route, of any type.
trait AnyBackground {
    fn answer<'a>(&'a self, event: Payload, request_id: &'a str) -> LocalBoxFuture<'a, Result<Value, Error>>;
}

impl<B: Background> AnyBackground for B {
    fn answer<'a>(&'a self, event: Payload, request_id: &'a str) -> LocalBoxFuture<'a, Result<Value, Error>> {
        Box::pin(Background::answer(self, event, request_id))
    }
}

/// The future that serves calls until the sandbox ends.
type Serving = LocalBoxFuture<'static, Result<(), Error>>;

/// Starts a function: wires its endpoint, then serves calls until the sandbox ends. If it cannot start, reports every
/// problem and exits with 1.
#[must_use]
pub fn run<E: Endpoint + Wire>() -> ExitCode {
    start(&|edge| Ok(serving(Box::new(E::wire(edge)?))))
}

/// Starts a function without a route.
#[must_use]
pub fn run_background<B: Background + Wire>() -> ExitCode {
    start(&|edge| Ok(serving_background(Box::new(B::wire(edge)?))))
}

fn serving_background(background: Box<dyn AnyBackground>) -> Serving {
    Box::pin(async move {
        let background = &background;
        lambda_runtime::run(service_fn(async |event: LambdaEvent<Payload>| {
            background.answer(event.payload, &event.context.request_id).await
        }))
        .await
    })
}

fn serving(endpoint: Box<dyn AnyEndpoint>) -> Serving {
    Box::pin(serve(endpoint, system_time))
}

fn start(wire: &dyn Fn(&Edge) -> Result<Serving, Refused>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread and a timer");
    runtime.block_on(async {
        let edge = Edge::of_process();
        edge.text("METRICS_NAMESPACE").iter().for_each(|name| observe::count_in(name));
        let wired = wire(&edge);
        edge.load().await;
        match (wired, edge.problems().as_slice()) {
            (Ok(serving), []) => match serving.await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => report(&[format!("the runtime API failed: {error}")]),
            },
            (_, problems) => report(problems),
        }
    })
}

fn report(problems: &[String]) -> ExitCode {
    let line = serde_json::json!({ "level": "error", "outcome": "refused_to_start", "problems": problems });
    eprintln!("{line}");
    ExitCode::FAILURE
}
