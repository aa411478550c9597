//! Where a function meets its environment: variables, clients, keys and settings, read and created once, while the
//! sandbox initialises.

pub mod edge;
pub mod keys;
pub mod payload;
pub mod settings;
