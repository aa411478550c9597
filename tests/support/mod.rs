//! What tests of several files use: every helper, found by name.

pub mod described;
pub mod mithril;
pub mod requests;
pub mod world;
