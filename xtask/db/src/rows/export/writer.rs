//! Writes an export: each table's rows in order, through a format into a sink.

use anyhow::Result;
use rusqlite::Connection;
use xtask_db_format::Writer;

use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::rows::export::selection::Selection;

/// Writes everything; returns the number of rows of each table of the header. `look` hears now and
/// then how many bytes were written, and may end it.
///
/// # Errors
///
/// If a table cannot be read, the sink fails, or as `look`.
pub(crate) fn write(
    connection: &Connection,
    selection: &Selection,
    writer: &mut Writer<'_, '_>,
    look: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Vec<u64>> {
    let header = &selection.header;
    writer.format.begin(header, writer.to)?;
    let mut counts = Vec::new();
    for (table, source) in header.tables.iter().zip(&selection.sources) {
        look(writer.to.n_bytes())?;
        writer.format.define(table, writer.to)?;
        let Some(source) = source else {
            counts.push(0);
            continue;
        };
        writer.format.begin_table(table, writer.to)?;
        let n_rows = source.write(connection, writer, look);
        counts.push(n_rows.map_err(|error| of_table(error, &table.name))?);
        writer.format.end_table(writer.to)?;
    }
    writer.format.end(header, &counts, writer.to)?;
    Ok(counts)
}

/// Adds the name of the table to an error; a refusal stays as it is.
fn of_table(error: anyhow::Error, table: &str) -> anyhow::Error {
    let what = format!("could not export table `{}`", text::plain(table));
    match error.downcast_ref::<Refusal>() {
        Some(refusal) if refusal.exit == Exit::Interrupted => error,
        Some(refusal) => Refusal { what: format!("{what}: {refusal}"), ..refusal.clone() }.into(),
        None => error.context(what),
    }
}
