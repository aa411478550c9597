//! Floor 1: mails, text messages and events. [`words`] and [`code`] build a message purely, [`mail`], [`text`] and
//! [`bus`] only send it.

pub mod attempt;
pub mod bus;
pub mod code;
mod layout;
pub mod mail;
pub mod text;
mod vocabulary;
pub mod words;
