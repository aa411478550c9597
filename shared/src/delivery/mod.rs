//! Floor 1: what is sent to people. [`words`] builds a message purely, [`mail`] only sends it.

mod layout;
pub mod mail;
pub mod words;
