//! Floor 1: HTTP. [`call`] is the request, [`reply`] the response, [`serve`] the loop between them; each dialect is one
//! file with one `Error`. All status codes, JSON keys and client-facing messages are in this folder.

pub mod call;
pub mod dialects;
pub mod html;
pub mod json;
pub mod rejection;
pub mod reply;
pub mod route;
mod schema;
pub mod sentences;
pub mod serve;
