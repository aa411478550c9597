//! Floor 1: DynamoDB. [`table`] is the only module that calls the SDK; [`rows`] has one file for each table,
//! and [`stream`] reads the rows of a table's stream.

pub mod conflict;
pub mod item;
pub mod retry;
pub mod rows;
pub mod stream;
pub mod table;
