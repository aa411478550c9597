//! The shared crate of Countersign. Arrows only point down this list, and the first three of floor 1 do not know each other:
//!
//! - floor 3: the functions, one folder each under `functions/`
//! - floor 2: [`edge`] (environment, clients), [`settings`] (policies), [`keys`] (what signs and encrypts), [`admission`] (who may pass),
//!   [`second_factor`] (a login that waits for a code), [`verification`] (its code), [`accounts`] (accounts that are made),
//!   [`factors`] (second factors), [`lockouts`] (who is blocked), [`repetition`] (calls that come again), [`throttling`] (how often),
//!   [`passwords`] (a password that changes), [`mailing`] (a mail with a link), [`sending`] (a code by text message),
//!   [`token_replacement`] (a token whose place another one takes), [`notices`] (mails that notify users), [`trail`] (the audit log of
//!   requests)
//! - floor 1: [`store`] (DynamoDB), [`delivery`] (mails and text messages), [`http`] (calls and dialects), [`observe`] (what is
//!   printed: lines and metrics)
//! - floor 0: [`domain`] (the rules), [`fault`] (what broke on our side)
//!
//! What holds everywhere:
//!
//! 1. No store, mail, clock, randomness or environment access in `domain`.
//! 2. Every decision that a race could spoil is a condition on the write that commits it.
//! 3. An expired row is treated as absent everywhere, swept or not.
//! 4. No usable secret lies in a table, a log, an error, a URL path that we log, or a metric.
//! 5. There is no test hook.

// What `#[derive(Wire)]` writes names this crate, here as elsewhere.
extern crate self as countersign_shared;

pub mod accounts;
pub mod admission;
pub mod delivery;
pub mod domain;
pub mod edge;
pub mod factors;
pub mod fault;
pub mod http;
pub mod keys;
pub mod lockouts;
pub mod mailing;
pub mod notices;
pub mod observe;
pub mod passwords;
pub mod repetition;
pub mod second_factor;
pub mod sending;
pub mod settings;
pub mod store;
pub mod throttling;
pub mod token_replacement;
pub mod trail;
pub mod verification;
