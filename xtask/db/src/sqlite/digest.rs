//! Hashes of database files, and the tree they are made of.

pub(crate) mod database;
pub(crate) mod page_source;
pub(crate) mod tree;

/// What is hashed as one subtree, bytes: as in the page store.
pub(crate) const GROUP_BYTES: usize = 64 << 10;
