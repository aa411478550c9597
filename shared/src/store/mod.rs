//! Floor 1: DynamoDB. [`table`] is the only place that calls the SDK; [`rows`] holds one file for each table.

pub mod conflict;
pub mod item;
pub mod retry;
pub mod rows;
pub mod table;
