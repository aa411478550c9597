//! PATCH /rest/v1/iam/self_register_requests/{uuid}
mod handler;

countersign_shared::main!(handler::Confirm);
