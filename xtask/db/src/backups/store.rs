//! The page store: the pages of backups, each kept once.
//!
//! A stored backup is a page list, `<name>.pages`, and its pages are in packs, which other backups share.
//! Everything is written once under a name that says what it holds. `docs/formats.md` describes the files;
//! `ARCHITECTURE.md` says which way a checkpoint goes in and out.

pub(crate) mod freshness;
pub(crate) mod intake;
pub(crate) mod pack;
pub(crate) mod pack_check;
pub(crate) mod pack_index;
pub(crate) mod pack_readings;
pub(crate) mod pack_rereading;
pub(crate) mod page_list;
pub(crate) mod pages;
pub(crate) mod shared_blocks;
pub(crate) mod stored_database;
pub(crate) mod suspect_packs;
pub(crate) mod used_blocks;

#[cfg(test)]
mod tests;
