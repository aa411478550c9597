//! Black-box tests: the real binaries, over HTTP, in a local cloud of each test's own. No product code is imported.
//! `house.rs` holds the rules about the repository itself.

mod app_root;
mod cleanup;
mod cost;
mod curl;
mod delivery_feedback;
mod faults;
mod login;
mod login_codes;
mod login_limits;
mod login_lockout;
mod mail;
mod mail_faults;
mod mithril;
mod openapi;
mod operator;
mod page;
mod passcode;
mod password_change;
mod password_ends;
mod password_faults;
mod password_form;
mod password_privacy;
mod password_repetition;
mod password_reset;
mod registration;
mod registration_confirm;
mod registration_limits;
mod registration_races;
mod secrecy;
mod settings;
mod short_passcode;
mod support_pin;
mod tokens;
mod transport;
mod world;
