//! The dialects: one file or folder for each, with one `Error`.

pub mod broadleaf;
pub mod era;
pub mod gitlab;
pub mod mithril;
pub mod plain;
pub mod verify;
