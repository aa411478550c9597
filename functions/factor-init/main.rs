//! PATCH /mithril/api/users/actions/init_factor
mod handler;

countersign_shared::main!(handler::Init);
