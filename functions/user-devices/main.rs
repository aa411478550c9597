//! GET /mithril/api/users/{user_id}/devices
//! DELETE /mithril/api/users/{user_id}/devices
//! DELETE /mithril/api/users/{user_id}/devices/{id}
mod handler;

countersign_shared::main!(handler::UserDevices);
