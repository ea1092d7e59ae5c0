//! Files that survive a loss of power: stages, publishing, free space, and who has a file open.

pub(crate) mod early_sync;
pub(crate) mod free_space;
pub(crate) mod holders;
pub(crate) mod processes;
pub(crate) mod publish;
pub(crate) mod sidecars;
pub(crate) mod stage;
pub(crate) mod whole_files;
