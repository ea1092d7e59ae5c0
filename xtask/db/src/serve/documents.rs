//! The `--json` documents of this program, as the page reads them. Each struct has only the fields
//! that a page shows; the commands own the whole documents.

pub(crate) mod backup;
pub(crate) mod diff;
pub(crate) mod failure;
pub(crate) mod import;
pub(crate) mod prune;
pub(crate) mod restore;
pub(crate) mod status;
pub(crate) mod verify;
