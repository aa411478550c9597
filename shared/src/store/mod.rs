//! Floor 1: DynamoDB. [`table`] is the only place that calls the SDK; [`rows`] holds one file for each table.

pub mod conflict;
pub mod item;
pub mod rounds;
pub mod rows;
pub mod table;
