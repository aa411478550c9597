//! Who may do what: tokens, scopes, lockout.

pub mod access;
pub mod client;
pub mod lockout;
pub mod provider;
pub mod scope;
pub mod token;
