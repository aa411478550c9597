//! PATCH /rest/v1/iam/pwd_reset_requests/{uuid}
mod handler;

countersign_shared::main!(handler::Confirm);
