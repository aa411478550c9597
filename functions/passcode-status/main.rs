//! GET /passcode/status
mod handler;

countersign_shared::main!(handler::Status);
