//! GET /mithril/api/users/{user_id}/authentication_factors/{id}
mod handler;

countersign_shared::main!(handler::Show);
