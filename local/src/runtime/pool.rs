//! A function: its idle processes, its concurrency limit, and the outcome of an invocation.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::Semaphore;

use super::process::{Blueprint, PendingInvocation, Process, Reply};
use crate::invocations::Calls;

/// Lambda's timeout for init, until a process first requests an event.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// An HTTP API's integration times out after 30 seconds, so a longer wait for a free process is useless.
const LONGEST_WAIT: Duration = Duration::from_secs(29);

/// A warm process that ends this soon after it received an event had most likely died before, unnoticed.
const NOTICED_LATE: Duration = Duration::from_millis(50);

/// Why an invocation has no answer.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// All processes were busy for too long.
    NoCapacity,
    /// It exceeded the template's `Timeout`, or its process did not start in time.
    TimedOut(String),
    /// Its process died.
    Died(String),
    /// The function answered with an error: Lambda's error document.
    Unhandled(Bytes),
}

impl Failure {
    /// The error document that Lambda's invoke API answers with.
    pub(crate) fn document(&self) -> Bytes {
        let (kind, message) = match self {
            Self::Unhandled(document) => return document.clone(),
            Self::NoCapacity => ("TooManyRequestsException", "Rate Exceeded."),
            Self::TimedOut(message) => ("Sandbox.Timedout", message.as_str()),
            Self::Died(message) => ("Runtime.ExitError", message.as_str()),
        };
        serde_json::json!({ "errorType": kind, "errorMessage": message }).to_string().into()
    }
}

/// A finished invocation.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) result: Result<Bytes, Failure>,
    pub(crate) cold: bool,
    pub(crate) ms: f64,
    pub(crate) calls: Calls,
    pub(crate) init_calls: Calls,
}

/// A function of the template and its processes.
#[derive(Debug)]
pub(crate) struct Lambda {
    pub(crate) blueprint: Blueprint,
    permits: Semaphore,
    idle: Mutex<Vec<Arc<Process>>>,
}

impl Lambda {
    pub(crate) fn new(blueprint: Blueprint, limit: usize) -> Self {
        let limit = blueprint.function.reserved.map_or(limit, |reserved| reserved.min(limit));
        Self {
            blueprint,
            permits: Semaphore::new(limit),
            idle: Mutex::default(),
        }
    }

    /// The function's display name.
    pub(crate) fn name(&self) -> &str {
        &self.blueprint.function.name
    }

    /// Runs the function once. Do not drop the future half way: run it in its own task, or the process stays marked
    /// busy until it has answered.
    pub(crate) async fn invoke(&self, payload: Bytes) -> Finished {
        let started = Instant::now();
        let mut finished = self.attempt(payload).await;
        // Whole microseconds: further digits are noise, and make a list hard to read.
        finished.ms = (started.elapsed().as_secs_f64() * 1_000_000.0).round() / 1000.0;
        let line = match &finished.result {
            Ok(_) => return finished,
            Err(Failure::NoCapacity) => "no process came free in time".to_owned(),
            Err(Failure::TimedOut(message) | Failure::Died(message)) => message.clone(),
            Err(Failure::Unhandled(document)) => match serde_json::from_slice::<serde_json::Value>(document) {
                Ok(error) => format!("the invocation failed: {}", error["errorMessage"].as_str().unwrap_or_default()),
                Err(_) => "the invocation failed".to_owned(),
            },
        };
        self.blueprint.log.function(self.name(), &line);
        finished
    }

    /// Starts a process, waits for it to be ready and ends it again.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let process = Process::spawn(&self.blueprint)?;
        let started = self.initialise(&process).await;
        process.end();
        started.map_err(|failure| match failure {
            Failure::TimedOut(message) | Failure::Died(message) => message,
            Failure::NoCapacity | Failure::Unhandled(_) => "failed".to_owned(),
        })
    }

    async fn attempt(&self, payload: Bytes) -> Finished {
        let nothing = |result| Finished {
            result,
            cold: false,
            ms: 0.0,
            calls: Calls::default(),
            init_calls: Calls::default(),
        };
        let Ok(Ok(_permit)) = tokio::time::timeout(LONGEST_WAIT, self.permits.acquire()).await else {
            return nothing(Err(Failure::NoCapacity));
        };
        let mut tried_again = false;
        loop {
            let (process, cold) = match self.idle_process() {
                Some(process) => (process, false),
                None => match Process::spawn(&self.blueprint) {
                    Ok(process) => (process, true),
                    Err(message) => return nothing(Err(Failure::Died(message))),
                },
            };
            let init_calls = if cold {
                process.init_calls.clone()
            } else {
                Calls::default()
            };
            if cold && let Err(failure) = self.initialise(&process).await {
                process.end();
                return Finished {
                    init_calls,
                    cold,
                    ..nothing(Err(failure))
                };
            }
            let function = &self.blueprint.function;
            let (request_id, mut begun) = process.begin(payload.clone(), function.timeout, self.blueprint.arn());
            let result = self.wait(&process, &request_id, &mut begun).await;
            let usable = matches!(result, Ok(_) | Err(Failure::Unhandled(_)));
            if usable {
                self.idle().push(process);
            } else if !cold && matches!(result, Err(Failure::Died(_))) {
                if !begun.taken() {
                    // It had died while it was idle: this request never reached it.
                    continue;
                }
                // The event was sent to a connection that a dead process had left behind. Or the event itself kills
                // processes; then the second process is the last.
                let soon = process.lived_after(begun.at).is_some_and(|time| time <= NOTICED_LATE);
                if soon && begun.calls.is_empty() && !tried_again {
                    tried_again = true;
                    let line = format!("a process was found dead at {request_id}; another one takes the request");
                    self.blueprint.log.function(self.name(), &line);
                    continue;
                }
            }
            return Finished {
                result,
                cold,
                ms: 0.0,
                calls: begun.calls,
                init_calls,
            };
        }
    }

    async fn initialise(&self, process: &Process) -> Result<(), Failure> {
        let outcome = tokio::select! {
            biased;
            () = process.ready.cancelled() => return Ok(()),
            status = process.ended() => match process.init_error() {
                Some(error) => Failure::Died(format!("failed to start: {error}")),
                None => match process.last_words().as_str() {
                    "" => Failure::Died(format!("{status} while it started")),
                    words => Failure::Died(format!("{status} while it started: {words}")),
                },
            },
            () = tokio::time::sleep(INIT_TIMEOUT) => {
                Failure::TimedOut(format!("did not start within {} seconds", INIT_TIMEOUT.as_secs()))
            }
        };
        Err(outcome)
    }

    async fn wait(&self, process: &Process, request_id: &str, begun: &mut PendingInvocation) -> Result<Bytes, Failure> {
        let timeout = self.blueprint.function.timeout;
        tokio::select! {
            biased;
            reply = &mut begun.reply => match reply {
                Ok(Reply::Response(body)) => Ok(body),
                Ok(Reply::Error(document)) => Err(Failure::Unhandled(document)),
                Err(_) => Err(Failure::Died(format!("{request_id} was given up"))),
            },
            status = process.ended() => {
                Err(Failure::Died(format!("{status} during {request_id}; a new process takes the next request")))
            }
            () = tokio::time::sleep(timeout) => {
                process.end();
                let seconds = timeout.as_secs();
                Err(Failure::TimedOut(format!("{request_id} Task timed out after {seconds}.00 seconds; its process was ended")))
            }
        }
    }

    fn idle_process(&self) -> Option<Arc<Process>> {
        let mut idle = self.idle();
        idle.retain(|process| process.is_alive());
        idle.pop()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Process>>> {
        self.idle.lock().expect("no holder of this lock panics")
    }
}
