//! POST /v2/Services/{service}/Verifications/{verification}
mod handler;

countersign_shared::main!(handler::Update);
