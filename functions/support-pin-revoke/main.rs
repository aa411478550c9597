//! POST /api/v4/users/{id}/support_pin/revoke
mod handler;

countersign_shared::main!(handler::Revoke);
