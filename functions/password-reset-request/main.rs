//! POST /rest/v1/iam/pwd_reset_requests
mod change;
mod handler;
mod reset;

countersign_shared::main!(handler::Request);
