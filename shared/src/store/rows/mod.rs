//! One file for each table: its attributes, and the changes to its rows.

pub mod attempt;
pub mod audit;
pub mod bucket;
pub mod claim;
pub mod client;
pub mod device;
pub mod domain;
pub mod entity;
pub mod factor;
pub mod idempotency;
pub mod otp;
pub mod passcode;
pub mod password_reset;
pub mod publication;
pub mod quota;
pub mod rate_limit;
pub mod registration;
pub mod support_pin;
pub mod suppression;
pub mod token;
pub mod unknown;
pub mod unverified;
pub mod user;
pub mod verification;
pub mod verify_credential;
pub mod verify_service;
pub mod windows;

#[cfg(test)]
mod tests;
