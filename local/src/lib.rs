//! The local cloud: everything that `template.yaml` declares, on this machine, with the real function binaries.
//!
//! ```text
//!   browser, curl, tests ──HTTP──> gateway ──event──> runtime ──> function processes
//!                                  page                              │ the ordinary AWS SDK
//!                                                                    v
//!                                          aws: DynamoDB proxy ──> database (embedded engine)
//!                                               SES, SNS ──> messages      │ streams, TTL
//!                                               Secrets Manager            v
//!                                                            streams, schedules ──> runtime
//! ```
//!
//! | Module | What |
//! |---|---|
//! | `template` | reads `template.yaml`; the only source of functions, routes, tables, secrets |
//! | `gateway` | API Gateway: routes, the JWT authoriser, the event of payload format 2.0, the answer, CORS |
//! | `runtime` | Lambda: one invocation at a time per process, time-outs, crashes, the runtime API |
//! | `aws` | what functions call: recorded, and broken on demand (faults) |
//! | `rights` | IAM: whether a function's role allows what it calls |
//! | `record`, `coverage` | which rights and routes the tests used, and which they did not |
//! | `database`, `streams`, `schedules` | the engine, its stream records, TTL, timers |
//! | `server` | another server's DynamoDB, SES and SNS in their place |
//! | `state`, `cloud`, `start` | what the parts share; how a cloud starts, listens and stops |
//! | `identities`, `tenant` | the demo tenant |
//! | `page` | `/_local/…` and Lambda's invoke API |
//! | `issuer` | an identity provider, for tries without one |
//! | `data` | the `--data` directory |
//!
//! Invariants: nothing in a function knows that it runs here. A process serves one invocation at a time, and every AWS call
//! is written down to the invocation that made it, and carried out only if the function's role allows it. Only loopback is listened on. No path or query that somebody sent is
//! printed as it came. When a cloud ends, so do its processes.

mod aws;
mod clock;
mod cloud;
mod coverage;
mod data;
mod database;
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
mod start;
mod state;
mod streams;
mod template;
mod tenant;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use cloud::{Cloud, StartError};
pub use coverage::unused_rights;

/// How many processes of one function run at a time, unless an option says otherwise.
pub const PROCESSES_PER_FUNCTION: usize = 10;

/// What to start, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The SAM template.
    pub template: PathBuf,
    /// The folder with the functions' binaries, by their names.
    pub binaries: PathBuf,
    /// The port of the API on 127.0.0.1; 0 for any that is free.
    pub port: u16,
    /// Where everything is kept across restarts; in memory without it.
    pub data: Option<PathBuf>,
    /// The most processes of one function at a time; further requests wait for one to come free.
    pub processes_per_function: usize,
    /// Where it is written down which rights functions use and what routes answer, for [`unused_rights`] and
    /// [`Cloud::untested_routes`]; nowhere without it.
    pub rights: Option<PathBuf>,
    /// Variables of every function's process besides those that Lambda and the template set.
    pub environment: BTreeMap<String, String>,
    /// Another server whose DynamoDB, SES and SNS are used in place of what is built in: `http://127.0.0.1:4566`.
    pub aws: Option<String>,
    /// Values of the template's parameters in place of their defaults. `PublicUrl` is the cloud's own address unless it is
    /// given here.
    pub parameters: BTreeMap<String, String>,
    /// Whether every function is started once at start, so that one that cannot start ends the start.
    pub check_functions: bool,
    /// Whether nothing is printed. Functions' output is kept for [`Cloud::logs`] all the same.
    pub quiet: bool,
}

impl Options {
    /// A quiet cloud in memory on any free port, as tests want it.
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
            check_functions: false,
            quiet: true,
        }
    }
}
