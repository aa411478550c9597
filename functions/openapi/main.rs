//! GET /openapi.json
mod document;
mod handler;

countersign_shared::main!(handler::OpenApi);
