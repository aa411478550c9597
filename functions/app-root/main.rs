//! GET /app-root
mod handler;
mod page;

countersign_shared::main!(handler::AppRoot);
