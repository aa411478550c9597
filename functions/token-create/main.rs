//! POST /mithril/api/tokens
mod authorize;
mod client;
mod handler;
mod known_device;
mod login_state;
mod password;
mod refresh;
mod session;

countersign_shared::main!(handler::Create);
