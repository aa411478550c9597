//! Floor 1: mails, text messages and events. [`words`], [`code`] and [`verification`] build a message purely,
//! [`mail`], [`text`] and [`bus`] only send it.

pub mod attempt;
pub mod bus;
pub mod code;
mod layout;
pub mod mail;
mod segments;
pub mod text;
pub mod verification;
mod vocabulary;
pub mod words;
