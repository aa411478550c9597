//! POST /v2/Services
//! GET /v2/Services
//! GET /v2/Services/{service}
//! POST /v2/Services/{service}
//! DELETE /v2/Services/{service}
mod handler;

countersign_shared::main!(handler::Services);
