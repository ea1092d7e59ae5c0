//! The page store: the pages of backups, each kept once.
//!
//! A stored backup is a page list, `<name>.pages`, and its pages lie in packs, which other backups
//! share. Everything is written once under a name that says what it holds. `docs/formats.md` describes the
//! files; `ARCHITECTURE.md` says which way a checkpoint goes in and out.

pub(crate) mod checking;
pub(crate) mod freshness;
pub(crate) mod intake;
pub(crate) mod list;
pub(crate) mod pack;
pub(crate) mod readings;
pub(crate) mod reclaiming;
pub(crate) mod references;
pub(crate) mod repacking;
pub(crate) mod rereading;
pub(crate) mod sharing;
pub(crate) mod shelf;
pub(crate) mod stored;
pub(crate) mod suspects;
pub(crate) mod tree;
pub(crate) mod usage;
pub(crate) mod wanted;

#[cfg(test)]
mod tests;
