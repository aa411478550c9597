//! POST /passcode/consume
mod handler;

countersign_shared::main!(audited handler::Consume);
