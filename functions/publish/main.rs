//! Invoked by the stream of the audit log.
mod handler;

countersign_shared::main!(background handler::Publish);
