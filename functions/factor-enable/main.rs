//! PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/enable
mod handler;

countersign_shared::main!(handler::Enable);
