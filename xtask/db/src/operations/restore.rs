//! The steps of a restore, whichever command restores.

pub(crate) mod candidate;
pub(crate) mod dialogue;
pub(crate) mod in_place;
pub(crate) mod preview;
pub(crate) mod safety_backup;
