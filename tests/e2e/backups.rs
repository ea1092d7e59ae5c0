//! The backups folder: lists, names, records, removal, and damage.

pub(crate) mod damage;
pub(crate) mod labels;
pub(crate) mod list;
pub(crate) mod many;
pub(crate) mod prune;
pub(crate) mod record_checksum;
pub(crate) mod records;
pub(crate) mod references;
pub(crate) mod remove;
