//! What tests of several files use: every helper, found by name.

pub mod mithril;
pub mod world;
