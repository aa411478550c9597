//! Floor 1: DynamoDB. [`table`] is the only module that calls the SDK; [`rows`] has one file for each table.

pub mod conflict;
pub mod item;
pub mod retry;
pub mod rows;
pub mod table;
