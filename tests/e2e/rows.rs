//! Rows: compared, exported, imported, merged.

pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod merge;
pub(crate) mod share;
