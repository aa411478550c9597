//! Floor 0: the rules. Pure: no async, no serde, no IO, no clock, no environment. A rule takes its inputs as
//! parameters, including the time and the randomness.

pub mod audit;
pub mod auth;
pub mod crypto;
pub mod device;
pub mod idempotency;
pub mod limits;
pub mod mail;
#[cfg(test)]
mod model;
pub mod otp;
pub mod passcode;
pub mod password;
pub mod password_reset;
pub mod people;
pub mod publication;
pub mod recovery;
pub mod registration;
pub mod support_pin;
pub mod time;
pub mod totp;
pub mod verification;
