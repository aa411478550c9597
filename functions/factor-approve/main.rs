//! PATCH /mithril/api/users/actions/approve_factor
mod handler;

countersign_shared::main!(handler::Approve);
