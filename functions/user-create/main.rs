//! POST /mithril/api/users
mod handler;

countersign_shared::main!(audited handler::Create);
