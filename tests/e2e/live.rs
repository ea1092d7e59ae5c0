//! The live database: looked at, locked, or of another engine.

pub(crate) mod database_lock;
pub(crate) mod looking;
pub(crate) mod other_engines;
pub(crate) mod read_only_user;
