//! POST /mithril/api/users/{user_id}/authentication_factors
mod handler;

countersign_shared::main!(handler::Create);
