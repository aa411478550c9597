//! Secrets, keys and encryption.

pub mod encryption;
pub mod key;
pub mod rotation;
pub mod secret;
