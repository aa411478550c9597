//! PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/disable
mod handler;

countersign_shared::main!(handler::Disable);
