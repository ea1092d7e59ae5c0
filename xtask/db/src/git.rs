//! Questions to git. Nothing here knows databases or backups.

pub(crate) mod branch;
pub(crate) mod caller;
pub(crate) mod index;
pub(crate) mod recorded;
pub(crate) mod reflog;
pub(crate) mod repository;
