//! Floor 1: HTTP. [`call`] is what came, [`reply`] what goes, [`serve`] the loop between; each dialect is one file with
//! one `Error`. No status code, JSON key or client-facing sentence stands outside this folder.

pub mod broadleaf;
pub mod call;
pub mod era;
pub mod gitlab;
pub mod html;
pub mod json;
pub mod mithril;
pub mod plain;
pub mod rejection;
pub mod reply;
pub mod route;
mod schema;
pub mod sentences;
pub mod serve;
