//! POST /v2/Services/{service}/Verifications
mod handler;

countersign_shared::main!(handler::Start);
