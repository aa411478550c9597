//! POST /v2/Services/{service}/Entities/{identity}/Challenges
//! GET /v2/Services/{service}/Entities/{identity}/Challenges
//! GET /v2/Services/{service}/Entities/{identity}/Challenges/{challenge}
//! POST /v2/Services/{service}/Entities/{identity}/Challenges/{challenge}
mod handler;

countersign_shared::main!(handler::Challenges);
