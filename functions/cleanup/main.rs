//! Invoked by the streams of the tables whose rows end.
mod handler;
mod record;

countersign_shared::main!(background handler::Cleanup);
