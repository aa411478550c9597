//! $default
mod handler;

countersign_shared::main!(handler::Fallback);
