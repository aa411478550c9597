//! Black-box tests of the local cloud: real processes, the unmodified SDK, HTTP.

mod api;
mod authenticator;
mod aws;
mod callers;
mod command_line;
mod data;
mod elsewhere;
mod events;
mod functions;
mod gateway;
mod kills;
mod mail;
mod rights;
mod streams;
mod support;
mod time;
mod unverified;
