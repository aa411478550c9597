//! PATCH /mithril/api/users/actions/recovery_codes
mod handler;

countersign_shared::main!(handler::Replace);
