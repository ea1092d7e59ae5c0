//! Everything about an SQLite file, live or not.

pub(crate) mod access;
pub(crate) mod change_counter;
pub(crate) mod connection;
pub(crate) mod declared_references;
pub(crate) mod digest;
pub(crate) mod examination;
pub(crate) mod foreign_keys;
pub(crate) mod full_text;
pub(crate) mod header;
pub(crate) mod probe;
pub(crate) mod read_only;
pub(crate) mod schema;
pub(crate) mod snapshot;
pub(crate) mod trouble;
pub(crate) mod utf16;
pub(crate) mod value;
pub(crate) mod wal;
