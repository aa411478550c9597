//! PATCH /mithril/api/users/{user_id}/actions/block
mod handler;

countersign_shared::main!(handler::Block);
