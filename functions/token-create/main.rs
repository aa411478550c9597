//! POST /mithril/api/tokens
mod authorize;
mod client;
mod handler;
mod password;
mod refresh;

countersign_shared::main!(handler::Create);
