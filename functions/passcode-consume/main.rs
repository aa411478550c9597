//! POST /passcode/consume
mod handler;

countersign_shared::main!(handler::Consume);
