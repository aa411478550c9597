//! Floor 0: the rules. Pure: no async, no serde, no IO, no clock, no environment. What a rule needs of the world is a
//! parameter, the time and the randomness included.

pub mod access;
pub mod budget;
pub mod client;
pub mod id;
pub mod key;
pub mod locale;
pub mod name;
pub mod passcode;
pub mod password;
pub mod scope;
pub mod secret;
pub mod sender;
pub mod support_pin;
pub mod time;
pub mod token;
pub mod user;
