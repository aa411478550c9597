//! GET /passcode/retrieve
mod handler;

countersign_shared::main!(handler::Retrieve);
