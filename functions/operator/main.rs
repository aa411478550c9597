//! Invoked by hand, with IAM: no route.
mod clients;
mod command;
mod devices;
mod domains;
mod erase;
mod handler;
mod keys;
mod outcome;
mod suppressions;
mod sweep;
mod tokens;
mod users;
mod verify;

countersign_shared::main!(background handler::Operator);
