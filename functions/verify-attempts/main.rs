//! GET /v2/Attempts
//! GET /v2/Attempts/Summary
//! GET /v2/Attempts/{attempt}
mod handler;

countersign_shared::main!(handler::Attempts);
