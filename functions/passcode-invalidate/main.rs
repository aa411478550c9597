//! POST /passcode/invalidate
mod handler;

countersign_shared::main!(audited handler::Invalidate);
