//! An export as CSV that `\copy … CSV HEADER` reads: one file per table.
//!
//! An empty value without quotes is NULL. Numbers and truth values have no quotes, anything else has.

use anyhow::Result;

use crate::csv::{DOCUMENT, file_name, quoted_bytes};
use crate::header::Ordered;
use crate::json;
use crate::postgres::header::{Header, Table};
use crate::postgres::value::{Kind, is_finite};
use crate::postgres::{Format, each_cell};
use crate::sink::Sink;

/// Writes CSV.
#[derive(Default)]
pub struct Csv {
    /// Whether there is a file for each table and one for the header, or only one table at all.
    is_folder: bool,
    kinds: Vec<Kind>,
}

impl Csv {
    /// For a folder: a file for each table, and one for the header.
    #[must_use]
    pub fn of_folder() -> Self {
        Self { is_folder: true, ..Self::default() }
    }
}

impl Format for Csv {
    fn begin(&mut self, _header: &Header, _to: &mut Sink<'_>) -> Result<()> {
        Ok(())
    }

    fn begin_table(&mut self, table: &Table, to: &mut Sink<'_>) -> Result<()> {
        if self.is_folder {
            to.begin_file(&file_name(&table.name))?;
        }
        self.kinds = table.kinds();
        for (at, column) in table.columns.iter().enumerate() {
            if at > 0 {
                to.push(b",");
            }
            quoted_bytes(column.name.as_bytes(), to)?;
        }
        to.push(b"\n");
        Ok(())
    }

    fn row(&mut self, line: &[u8], to: &mut Sink<'_>) -> Result<()> {
        each_cell(line, &self.kinds, &mut |at, kind, cell| {
            if at > 0 {
                to.push(b",");
            }
            let Some(value) = cell else { return Ok(()) };
            match kind {
                Kind::Boolean | Kind::Integer => to.push(value),
                Kind::Real | Kind::Numeric if is_finite(value) => to.push(value),
                _ => quoted_bytes(value, to)?,
            }
            Ok(())
        })?;
        to.push(b"\n");
        to.flow()
    }

    fn end_table(&mut self, to: &mut Sink<'_>) -> Result<()> {
        to.flush()
    }

    fn end(&mut self, header: &Header, rows: &[u64], to: &mut Sink<'_>) -> Result<()> {
        if self.is_folder {
            to.begin_file(DOCUMENT)?;
            json::document(header, to)?;
            to.buffer().pop();
            to.push(b",\n\"counts\":");
            json::document(&Ordered(header.counted(rows)), to)?;
            to.push(b"}\n");
        }
        to.flush()
    }
}
