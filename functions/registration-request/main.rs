//! POST /rest/v1/iam/self_register_requests
mod handler;

countersign_shared::main!(handler::Request);
