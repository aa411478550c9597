//! The local cloud: everything that `template.yaml` declares, on this machine, with the real function binaries.
//!
//! ```text
//!   browser, curl, tests ──HTTP──> gateway ──event──> runtime ──> function processes
//!                                  page                              │ the ordinary AWS SDK
//!                                                                    v
//!                                          aws: DynamoDB proxy ──> database (embedded engine)
//!                                               SES, SNS ──> messages      │ streams, TTL
//!                                               EventBridge ──> events     │
//!                                               Secrets Manager            v
//!                                                            streams, schedules ──> runtime
//! ```
//!
//! | Module | What |
//! |---|---|
//! | `template` | reads `template.yaml`; the only source of functions, routes, tables, secrets |
//! | `gateway` | API Gateway: routes, the JWT authorizer, the event of payload format 2.0, the answer, CORS |
//! | `runtime` | Lambda: one invocation at a time per process, time-outs, crashes, the runtime API |
//! | `aws` | what functions call: recorded, and broken on demand (faults) |
//! | `invocations`, `cost` | what each request called, consumed and would cost |
//! | `rights` | IAM: whether a function's role allows what it calls |
//! | `record`, `coverage` | which rights and routes the tests used, and which they did not |
//! | `database`, `streams`, `schedules` | the engine, its stream records, TTL, timers |
//! | `server` | another server's DynamoDB, SES and SNS in their place |
//! | `state`, `cloud`, `start` | what the parts share; how a cloud starts, listens and stops |
//! | `identities`, `tenant` | the demo tenant |
//! | `page` | `/_local/…` and Lambda's invoke API |
//! | `issuer` | an identity provider, for tries without one |
//! | `authenticator` | an authenticator app, for trials of second factors without a phone |
//! | `data` | the `--data` directory |
//! | `simulate` | replays a file of text messages against the limits, and starts nothing |
//!
//! Invariants: no function code depends on running here. A process serves one invocation at a time. Every AWS call is
//! recorded with the invocation that made it, and executed only if the function's role allows it. The cloud listens on
//! loopback only. Paths and queries are never printed as they were sent. When a cloud ends, so do its processes.

mod authenticator;
mod aws;
mod clock;
mod cloud;
mod cost;
mod coverage;
mod data;
mod database;
mod events;
mod gateway;
mod http;
mod identities;
mod invocations;
mod issuer;
mod log;
mod messages;
mod page;
mod random;
mod record;
mod rights;
mod runtime;
mod schedules;
mod server;
mod simulate;
mod start;
mod state;
mod streams;
mod template;
mod tenant;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use cloud::{Cloud, StartError};
pub use coverage::unused_rights;
pub use simulate::simulate;

/// The default limit of processes per function.
pub const PROCESSES_PER_FUNCTION: usize = 10;

/// What to start, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The SAM template.
    pub template: PathBuf,
    /// The folder with the functions' binaries, by their names.
    pub binaries: PathBuf,
    /// The port of the API on 127.0.0.1; 0 for any free port.
    pub port: u16,
    /// The data directory, which survives restarts; in memory without it.
    pub data: Option<PathBuf>,
    /// The limit of processes per function; further requests wait for a free one.
    pub processes_per_function: usize,
    /// The folder for records of the rights that functions use and the responses of routes, for [`unused_rights`] and
    /// [`Cloud::untested_routes`]; no records without it.
    pub rights: Option<PathBuf>,
    /// Environment variables of every function besides those that Lambda and the template set.
    pub environment: BTreeMap<String, String>,
    /// Another server whose DynamoDB, SES and SNS replace the built-in ones: `http://127.0.0.1:4566`.
    pub aws: Option<String>,
    /// Values that override the defaults of the template's parameters. `PublicUrl` is the cloud's own URL unless it is
    /// given here.
    pub parameters: BTreeMap<String, String>,
    /// Whether streams deliver records as they are written. Without it they do when they are asked to:
    /// `POST /_local/streams/deliver`.
    pub follow_streams: bool,
    /// Whether every function is started once at start, so that a function that cannot start fails the start.
    pub check_functions: bool,
    /// Whether nothing is printed. Functions' output is still kept for [`Cloud::logs`].
    pub quiet: bool,
}

impl Options {
    /// A quiet cloud in memory on any free port, for tests.
    pub fn new(template: impl Into<PathBuf>, binaries: impl Into<PathBuf>) -> Self {
        Self {
            template: template.into(),
            binaries: binaries.into(),
            port: 0,
            data: None,
            processes_per_function: PROCESSES_PER_FUNCTION,
            rights: None,
            environment: BTreeMap::new(),
            aws: None,
            parameters: BTreeMap::new(),
            follow_streams: true,
            check_functions: false,
            quiet: true,
        }
    }
}
