//! PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/reset
mod handler;

countersign_shared::main!(handler::Reset);
