//! Hashes of database files, and the tree they are made of.

pub(crate) mod database;
pub(crate) mod page_source;
pub(crate) mod tree;

/// Size of the subtrees that are hashed, in bytes: the same as in the page store.
pub(crate) const GROUP_BYTES: usize = 64 << 10;
