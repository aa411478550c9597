//! POST /v2/Services/{service}/Entities/{identity}/Factors
//! GET /v2/Services/{service}/Entities/{identity}/Factors
//! GET /v2/Services/{service}/Entities/{identity}/Factors/{factor}
//! POST /v2/Services/{service}/Entities/{identity}/Factors/{factor}
//! DELETE /v2/Services/{service}/Entities/{identity}/Factors/{factor}
mod handler;

countersign_shared::main!(handler::Factors);
