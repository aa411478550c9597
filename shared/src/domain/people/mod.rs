//! Users and what belongs to them.

pub mod app;
pub mod claim;
pub mod factor;
pub mod id;
pub mod locale;
pub mod name;
pub mod phone;
pub mod tenant;
pub mod unknown;
pub mod user;
