//! The backups folder: where it is, whose it is, and what else is in it.

pub(crate) mod gitignore;
pub(crate) mod hostile_files;
pub(crate) mod permissions;
pub(crate) mod places;
pub(crate) mod several_projects;
pub(crate) mod without_hard_links;
