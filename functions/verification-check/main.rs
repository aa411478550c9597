//! POST /v2/Services/{service}/VerificationCheck
mod handler;

countersign_shared::main!(handler::Check);
