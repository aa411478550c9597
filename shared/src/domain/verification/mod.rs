//! Verifications of phone numbers and mail addresses that need no user: who may start them, in which service, and how
//! their codes are derived, sent and compared (docs/contract.md, Verify).

pub mod account;
pub mod attempt;
pub mod attempts;
pub mod code;
pub mod destination;
pub mod entity;
#[cfg(test)]
mod model;
pub mod policy;
pub mod record;
pub mod request;
pub mod service;
pub mod sid;
pub mod windows;
