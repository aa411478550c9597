//! Black-box tests: the real binaries, over HTTP, in a local cloud of each test's own. No product code is imported.
//! `house.rs` holds the rules about the repository itself.

mod app_root;
mod cost;
mod curl;
mod faults;
mod openapi;
mod operator;
mod page;
mod passcode;
mod secrecy;
mod settings;
mod short_passcode;
mod support_pin;
mod tokens;
mod transport;
mod world;
