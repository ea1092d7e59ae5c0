//! The backups folder: names, records, page stores, and everything that reads and writes them.

pub(crate) mod backup;
pub(crate) mod backup_document;
pub(crate) mod folder_lock;
pub(crate) mod format;
pub(crate) mod hold;
pub(crate) mod home;
pub(crate) mod kind;
pub(crate) mod name;
pub(crate) mod obstacle;
pub(crate) mod ownership;
pub(crate) mod page_lists;
pub(crate) mod place;
pub(crate) mod privacy;
pub(crate) mod reader;
pub(crate) mod record;
pub(crate) mod reference;
pub(crate) mod remaining_copies;
pub(crate) mod set_aside;
pub(crate) mod store;
pub(crate) mod vault;
pub(crate) mod verification;
pub(crate) mod writer;
