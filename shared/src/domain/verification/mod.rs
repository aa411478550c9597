//! Verifications of phone numbers and mail addresses that need no user: who may start them, and in which service.

pub mod account;
pub mod service;
pub mod sid;
