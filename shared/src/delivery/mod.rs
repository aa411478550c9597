//! Floor 1: mails and text messages. [`words`] and [`code`] build a message purely, [`mail`] and [`text`] only send it.

pub mod attempt;
pub mod code;
mod layout;
pub mod mail;
pub mod text;
mod vocabulary;
pub mod words;
