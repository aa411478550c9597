//! Floor 0: the rules. Pure: no async, no serde, no IO, no clock, no environment. What a rule needs of the world is a
//! parameter, the time and the randomness included.

pub mod access;
pub mod audit;
pub mod budget;
pub mod claim;
pub mod client;
pub mod factor;
pub mod id;
pub mod key;
pub mod link;
pub mod locale;
pub mod lockout;
pub mod meter;
pub mod name;
pub mod network;
pub mod otp;
pub mod passcode;
pub mod password;
pub mod password_reset;
pub mod phone;
pub mod provider;
pub mod registration;
pub mod repetition;
pub mod rotation;
pub mod scope;
pub mod seal;
pub mod secret;
pub mod sender;
pub mod support_pin;
pub mod suppression;
pub mod tenant;
pub mod throttle;
pub mod time;
pub mod token;
pub mod user;
