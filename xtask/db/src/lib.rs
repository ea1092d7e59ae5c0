//! xtask-db.
