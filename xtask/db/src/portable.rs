//! Rows outside of a database: what an export holds and in which order, how it is written, and how
//! the canonical format is read back. `FORMAT.md` beside the crate describes it for everybody else.
//!
//! One walk: `contents` decides what there is to write, `source` reads one table's rows, a
//! [`Format`] turns them into bytes, and a `sink` hands those on, hashed. `reader` is the way back.

pub(crate) mod cell;
pub(crate) mod contents;
pub(crate) mod csv;
mod digits;
pub(crate) mod header;
pub(crate) mod json;
pub(crate) mod jsonl;
mod order;
mod parse;
pub(crate) mod reader;
pub(crate) mod sink;
mod source;
pub(crate) mod sql;
mod virtual_tables;
pub(crate) mod writing;

use anyhow::Result;

use crate::portable::cell::Cell;
use crate::portable::header::{Header, TableHead};
use crate::portable::sink::Sink;

/// The first member of every export's header, and what it says.
pub(crate) const NAME: &str = "xtask-db export";
/// The version of the format that is written, and the newest that is read.
pub(crate) const VERSION: u32 = 1;

/// One way to write an export. Tables come in the order of the header, each with its values row by
/// row, the rowid first where the header names one.
pub(crate) trait Format {
    /// Writes what stands before all tables.
    fn begin(&mut self, header: &Header, to: &mut Sink<'_>) -> Result<()>;
    /// Defines a table of the header, also one whose rows are not here.
    fn define(&mut self, _table: &TableHead, _to: &mut Sink<'_>) -> Result<()> {
        Ok(())
    }
    /// Begins the rows of a table, if only to say that there are none.
    fn begin_table(&mut self, table: &TableHead, to: &mut Sink<'_>) -> Result<()>;
    /// Writes the value at a position of the row, from 0.
    fn value(&mut self, at: usize, cell: Cell<'_>, to: &mut Sink<'_>) -> Result<()>;
    /// Ends a row.
    fn end_row(&mut self, to: &mut Sink<'_>) -> Result<()>;
    /// Ends a table.
    fn end_table(&mut self, to: &mut Sink<'_>) -> Result<()>;
    /// Writes what stands after all tables; `rows` has a number for each of the header's.
    fn end(&mut self, header: &Header, rows: &[u64], to: &mut Sink<'_>) -> Result<()>;
}
