//! Exports rows: what an export contains, in which order, and its writing. The crate
//! `xtask-db-format` defines how values are written and read back.

pub(crate) mod order;
pub(crate) mod selection;
pub(crate) mod server;
mod source;
pub(crate) mod subset;
pub(crate) mod virtual_tables;
pub(crate) mod writer;
