//! PATCH /mithril/api/users/{user_id}/actions/create_otp
mod handler;

countersign_shared::main!(handler::Create);
