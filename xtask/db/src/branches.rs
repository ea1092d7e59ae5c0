//! Branches and the database: branch points, and the backup that a rollback restores.

pub(crate) mod branch_point;
pub(crate) mod first_state;
pub(crate) mod rollback;
