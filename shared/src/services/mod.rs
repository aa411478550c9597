//! Logic that several functions share. A service declares what it accesses: its capability is a struct of tables, keys
//! and senders, used as a field of a function's struct. Services know no dialect: they return the refusals of
//! [`crate::refusal`], and each dialect maps them.

pub mod accounts;
pub mod audit;
pub mod auth;
pub mod devices;
pub mod entities;
pub mod factors;
pub mod idempotency;
pub mod link_mails;
pub mod lockouts;
pub mod logins;
pub mod otp_sender;
pub mod passwords;
pub mod rate_limits;
pub mod reauthentication;
pub mod recovery;
pub mod token_replacement;
pub mod verification;
pub mod verification_sender;
pub mod verifications;
pub mod verify_accounts;
pub mod verify_services;
