//! Rate limits and quotas.

pub mod bucket;
pub mod limit_keys;
pub mod network;
pub mod prices;
pub mod quota;
pub mod rate_limit;
pub mod unverified;
