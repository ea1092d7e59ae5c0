//! Rows outside of a database: what an export holds, in which order, and its writing. How a value is
//! written, and how all of it is read back, is the crate `xtask-db-format`'s.

pub(crate) mod order;
pub(crate) mod selection;
mod source;
pub(crate) mod subset;
pub(crate) mod virtual_tables;
pub(crate) mod writer;
