//! GET /passcode/retrieve
mod handler;

countersign_shared::main!(audited handler::Retrieve);
