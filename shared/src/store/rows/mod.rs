//! One file for each table: its attributes, and the changes that are made to its rows.

pub mod budget;
pub mod client;
pub mod passcode;
pub mod support_pin;
pub mod token;
pub mod user;
