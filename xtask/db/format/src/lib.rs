//! The portable format of xtask-db's exports: rows as JSONL, JSON, SQL or CSV, and a reader of the
//! canonical JSONL. `docs/formats.md` describes the format.
//!
//! A [`Header`] describes what is exported, [`copy_rows`] reads the rows of each table from SQLite,
//! a [`Format`] turns them into bytes, and a [`Sink`] hashes those and passes them on. A [`Reader`]
//! goes the other way and trusts nothing.
//!
//! This is a crate of its own because an export has millions of values: these few files are
//! compiled for speed (`[profile.dev.package]`), the tasks around them for a quick build. It opens
//! no file and no database.

// Here and not in `xtask-db`, which is compiled after this crate: so this is the only error.
#[cfg(not(unix))]
compile_error!("xtask-db works on Linux and macOS only; on Windows use it inside WSL");

mod affinity;
mod breaks;
mod cell;
mod csv;
mod digits;
mod fields;
mod header;
mod insert;
mod json;
mod jsonl;
mod lines;
mod literal;
mod parse;
pub mod postgres;
mod reader;
pub mod records;
mod rows;
mod scan;
mod sink;
mod sql;
mod statements;
mod taking;

use anyhow::Result;

pub use affinity::Affinity;
pub use cell::{Cell, Value};
pub use csv::Csv;
pub use fields::Row;
pub use header::{Definition, Header, Rows, Setting, TableHead};
pub use insert::{Doubled, OddTexts, insert_rows, text_of};
pub use json::Json;
pub use jsonl::Jsonl;
pub use literal::{ended, text_literal};
pub use reader::csv::{CsvReader, OpenFile};
pub use reader::json::JsonReader;
pub use reader::markers::ConflictMarker;
pub use reader::{Newer, OtherEngine, Reader};
pub use rows::{IsUnicode, Taken, Writer, copy_rows};
pub use sink::{Outlet, Sink};
pub use sql::Sql;
pub use statements::{Piece, Statements, Unfinished};

/// The first member of every export's header, and what it says.
pub const NAME: &str = "xtask-db export";
/// The version of the format that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// One way to write an export. Tables come in the order of the header, each with its values row by
/// row, the rowid first if the header names one.
pub trait Format {
    /// Writes what is before all tables.
    ///
    /// # Errors
    ///
    /// As the outlet's.
    fn begin(&mut self, header: &Header, to: &mut Sink<'_>) -> Result<()>;

    /// Defines a table of the header, also one whose rows are not here.
    ///
    /// # Errors
    ///
    /// As the outlet's.
    fn define(&mut self, _table: &TableHead, _to: &mut Sink<'_>) -> Result<()> {
        Ok(())
    }

    /// Begins the rows of a table, if only to say that there are none.
    ///
    /// # Errors
    ///
    /// As the outlet's.
    fn begin_table(&mut self, table: &TableHead, to: &mut Sink<'_>) -> Result<()>;

    /// Writes the value at a position of the row, from 0.
    ///
    /// # Errors
    ///
    /// As the outlet's.
    fn value(&mut self, at: usize, cell: Cell<'_>, to: &mut Sink<'_>) -> Result<()>;

    /// Ends a row.
    ///
    /// # Errors
    ///
    /// As the outlet's.
    fn end_row(&mut self, to: &mut Sink<'_>) -> Result<()>;

    /// Ends a table.
    ///
    /// # Errors
    ///
    /// As the outlet's.
    fn end_table(&mut self, to: &mut Sink<'_>) -> Result<()>;

    /// Writes what is after all tables; `rows` has a number for each of the header's.
    ///
    /// # Errors
    ///
    /// As the outlet's.
    fn end(&mut self, header: &Header, rows: &[u64], to: &mut Sink<'_>) -> Result<()>;
}

/// An export that is being read, whatever its format.
pub trait Reading {
    /// What it says of itself.
    fn header(&self) -> &Header;

    /// How many rows each table of the header has so far.
    fn counts(&self) -> &[u64];

    /// Where the row is that was read last, e.g. `line 12`: for messages about it.
    fn place(&self) -> String;

    /// How many bytes were read.
    fn n_bytes(&self) -> u64;

    /// Reads the next row, its values in the order of its table's members. Returns `None` after the
    /// last one, once the totals in the export were compared with what was read.
    ///
    /// # Errors
    ///
    /// If the next line is not a row of the expected table, or the export was truncated or changed.
    fn next_row(&mut self) -> Result<Option<Row<'_>>>;
}
