//! The shared crate of Countersign. Dependencies only point down this list:
//!
//! - floor 4: the functions, one folder each under `functions/`
//! - floor 3: [`start`] (how a function starts)
//! - floor 2: [`services`] (what several functions do)
//! - floor 1: [`runtime`] (environment, keys, settings), [`store`] (DynamoDB), [`delivery`] (mails, text messages and
//!   events), [`http`] (calls and dialects), [`observe`] (log lines and metrics)
//! - floor 0: [`domain`] (the rules), [`fault`] (internal errors), [`refusal`] (why a service refuses)
//!
//! Rules that hold everywhere:
//!
//! 1. No store, mail, clock, randomness or environment access in `domain`.
//! 2. Every decision that a race could invalidate is a condition on the write that commits it (optimistic locking).
//! 3. An expired row is treated as absent everywhere, whether swept (TTL) or not.
//! 4. No usable secret is stored in a table, a log, an error, a URL path that we log, or a metric.
//! 5. There is no test hook.

// What `#[derive(Wire)]` writes names this crate, here as elsewhere.
extern crate self as countersign_shared;

pub mod delivery;
pub mod domain;
pub mod fault;
pub mod http;
pub mod observe;
pub mod refusal;
pub mod runtime;
pub mod services;
pub mod start;
pub mod store;
