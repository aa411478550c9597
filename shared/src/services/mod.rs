//! What several functions do. A service knows what it touches: its capability is a struct of tables, keys and senders, and the fields
//! of a function's struct. Services
//! speak no dialect: they return the refusals of [`crate::refusal`], and each dialect maps them.

pub mod accounts;
pub mod audit;
pub mod auth;
pub mod factors;
pub mod idempotency;
pub mod link_mails;
pub mod lockouts;
pub mod logins;
pub mod notices;
pub mod otp_sender;
pub mod passwords;
pub mod rate_limits;
pub mod token_replacement;
pub mod verification;
