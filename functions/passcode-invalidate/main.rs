//! POST /passcode/invalidate
mod handler;

countersign_shared::main!(handler::Invalidate);
