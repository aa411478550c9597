//! Mails: senders, links, waits, suppressions.

pub mod link;
pub mod sender;
pub mod suppression;
pub mod waits;
