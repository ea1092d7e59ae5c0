//! PostgreSQL as an engine: everything that talks to a server or reads a dump.
//!
//! `psql` and `pg_dump` are the client, and they get what they need to connect by environment only.
//! A dump is never run as a script: see `restore/load.rs`.

pub(crate) mod catalogue;
pub(crate) mod client;
pub(crate) mod copy_rows;
pub(crate) mod definitions;
pub(crate) mod dump;
pub(crate) mod dump_objects;
pub(crate) mod foreign_keys;
pub(crate) mod maintenance;
pub(crate) mod place;
pub(crate) mod programs;
mod properties;
pub(crate) mod psql;
pub(crate) mod quoting;
pub(crate) mod restore;
pub(crate) mod scratch;
pub(crate) mod server;
pub(crate) mod standing;
pub(crate) mod temporary;
pub(crate) mod trouble;
pub(crate) mod usage;

#[cfg(test)]
mod tests;
