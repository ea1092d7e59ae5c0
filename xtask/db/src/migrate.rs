//! Migrations: the rehearsal on a private copy, and the verdict over what it did.

pub(crate) mod file_use;
pub(crate) mod new_database;
pub(crate) mod on_server;
pub(crate) mod rehearsal;
pub(crate) mod rehearsal_result;
pub(crate) mod reserve;
pub(crate) mod state;
pub(crate) mod verdict;
