//! Every helper that tests in several files use, found by its name.

pub mod blocks;
pub mod browser;
pub mod clients;
pub mod clock;
pub mod described;
pub mod devices;
pub mod era;
pub mod factors;
pub mod faults;
pub mod flows;
pub mod login;
pub mod logs;
pub mod messages;
pub mod mithril;
pub mod operator;
pub mod passcode;
pub mod password;
pub mod people;
pub mod registration;
pub mod requests;
pub mod roles;
pub mod rows;
pub mod support_pin;
pub mod verify;
pub mod words;
pub mod world;
