//! POST /api/v4/user/support_pin
mod handler;

countersign_shared::main!(handler::Create);
