//! GET /api/v4/users/{id}/support_pin
mod handler;

countersign_shared::main!(handler::ShowUser);
