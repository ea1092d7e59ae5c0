//! Hashes of database files, and the tree they are made of.

pub(crate) mod database;
pub(crate) mod page_source;
pub(crate) mod tree;
