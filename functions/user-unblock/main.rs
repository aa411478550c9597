//! PATCH /mithril/api/users/{user_id}/actions/unblock
mod handler;

countersign_shared::main!(handler::Unblock);
