//! Exports of PostgreSQL databases: rows as `COPY` prints them become JSONL, JSON, CSV or SQL.
//! `docs/formats.md` describes the formats.
//!
//! A value that every reader of JSON takes for what it is becomes a number, a truth value or null. Any
//! other is the text that PostgreSQL itself prints and reads, so that no digit is lost.

mod copy_text;
mod csv;
mod header;
mod json;
mod row_hash;
mod sql;
mod value;

use anyhow::{Result, ensure};

pub use copy_text::{CopyLines, cells, unescape};
pub use csv::Csv;
pub use header::{Column, Definition, Header, Sequence, Table};
pub use json::{Json, Jsonl};
pub use row_hash::{Differing, Hashed, Layout, Tally};
pub use sql::Sql;
pub use value::Kind;

use crate::sink::Sink;

/// What an export of a PostgreSQL database says of its engine.
pub const ENGINE: &str = "postgresql";

/// One way to write an export. Tables come in the order of the header.
pub trait Format {
    /// Writes what is before all tables.
    ///
    /// # Errors
    ///
    /// As the outlet's.
    fn begin(&mut self, header: &Header, to: &mut Sink<'_>) -> Result<()>;

    /// Begins the rows of a table.
    ///
    /// # Errors
    ///
    /// As the outlet's.
    fn begin_table(&mut self, table: &Table, to: &mut Sink<'_>) -> Result<()>;

    /// Writes a row: a line of `COPY`, without its line feed.
    ///
    /// # Errors
    ///
    /// As the outlet's; if it is not a row of the table.
    fn row(&mut self, line: &[u8], to: &mut Sink<'_>) -> Result<()>;

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

/// Receives the place of a value, how it is written, and the value; `None` is NULL.
type Each<'e> = &'e mut dyn FnMut(usize, Kind, Option<&[u8]>) -> Result<()>;

/// Hands on each value of a row with its place.
///
/// # Errors
///
/// If there are more or fewer values than columns; or as `each`.
fn each_cell(line: &[u8], kinds: &[Kind], each: Each<'_>) -> Result<()> {
    let mut n_cells = 0;
    if !kinds.is_empty() {
        let mut unescaped = Vec::new();
        for cell in cells(line) {
            ensure!(n_cells < kinds.len(), "a row has more values than its table has columns");
            let cell = cell.map(|raw| unescape(raw, &mut unescaped));
            each(n_cells, kinds[n_cells], cell)?;
            n_cells += 1;
        }
    }
    ensure!(n_cells == kinds.len(), "a row has fewer values than its table has columns");
    Ok(())
}
