//! The rehearsal of a migration on a PostgreSQL server: on a scratch database, judged like that of an SQLite database.
//!
//! Tables and columns are paired by their numbers, which renaming keeps. The rows of the tables whose hash differs are
//! read into two scratch files, side by side, so that the same examination of values judges both engines.

mod names;
pub(crate) mod new_database;

pub(crate) mod rehearsal;
mod rows;
mod rows_file;
mod schema;
pub(crate) mod sight;
pub(crate) mod value_effects;
