//! The page store: the pages of backups, each stored once, and the chunks of dumps.
//!
//! A stored backup is a page list, `<name>.pages`, or a chunk list, `<name>.chunks`. Its blocks are in
//! packs, which other backups share. Every file is written once, under a name that describes its content. `docs/formats.md`
//! describes the files, `ARCHITECTURE.md` the way of a checkpoint in and out.

pub(crate) mod chunk_intake;
pub(crate) mod cut;
pub(crate) mod file_header;
pub(crate) mod freshness;
pub(crate) mod intake;
mod open_pack;
pub(crate) mod pack;
pub(crate) mod pack_check;
pub(crate) mod pack_folder;
pub(crate) mod pack_index;
pub(crate) mod pack_readings;
pub(crate) mod pack_rereading;
pub(crate) mod page_list;
pub(crate) mod pages;
pub(crate) mod shared_blocks;
pub(crate) mod stored_database;
pub(crate) mod stored_dump;
pub(crate) mod suspect_packs;
pub(crate) mod used_blocks;

#[cfg(test)]
mod tests;
