//! POST /v2/Services/{service}/Entities
//! GET /v2/Services/{service}/Entities
//! GET /v2/Services/{service}/Entities/{identity}
//! DELETE /v2/Services/{service}/Entities/{identity}
mod handler;

countersign_shared::main!(handler::Entities);
