//! Branches and the database: branch points, and the backup that a rollback restores.

pub(crate) mod branch_point;
pub(crate) mod rollback;
