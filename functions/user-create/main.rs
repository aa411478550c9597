//! POST /mithril/api/users
mod handler;

countersign_shared::main!(handler::Create);
