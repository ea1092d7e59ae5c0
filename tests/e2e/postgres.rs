//! A PostgreSQL database: the same commands, words and exit codes.

pub(crate) mod backup;
pub(crate) mod beside_others;
pub(crate) mod branches;
pub(crate) mod diff;
pub(crate) mod each_statement;
pub(crate) mod export;
pub(crate) mod guide;
pub(crate) mod interrupted;
pub(crate) mod migrations;
pub(crate) mod refusals;
pub(crate) mod rehearsal;
pub(crate) mod restore;
pub(crate) mod stored;
pub(crate) mod three_databases;
