//! POST /v2/Services/{service}/RateLimits
//! GET /v2/Services/{service}/RateLimits
//! GET /v2/Services/{service}/RateLimits/{rate_limit}
//! POST /v2/Services/{service}/RateLimits/{rate_limit}
//! DELETE /v2/Services/{service}/RateLimits/{rate_limit}
//! POST /v2/Services/{service}/RateLimits/{rate_limit}/Buckets
//! GET /v2/Services/{service}/RateLimits/{rate_limit}/Buckets
//! GET /v2/Services/{service}/RateLimits/{rate_limit}/Buckets/{bucket}
//! POST /v2/Services/{service}/RateLimits/{rate_limit}/Buckets/{bucket}
//! DELETE /v2/Services/{service}/RateLimits/{rate_limit}/Buckets/{bucket}
mod handler;

countersign_shared::main!(handler::RateLimits);
