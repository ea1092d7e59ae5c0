//! Writes an export: each table's rows in order, through a format into a sink.

use anyhow::Result;
use rusqlite::Connection;
use xtask_db_format::{Format, Sink};

use crate::console::interrupt::Interrupt;
use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::rows::export::selection::Selection;

/// Writes everything; returns the number of rows of each table of the header. `reach` hears how many
/// bytes were written, now and then.
///
/// # Errors
///
/// If a table cannot be read, the sink fails, or the user interrupts.
pub(crate) fn write(
    (connection, selection): (&Connection, &Selection),
    (format, to): (&mut dyn Format, &mut Sink<'_>),
    interrupt: &Interrupt,
    reach: &mut dyn FnMut(u64),
) -> Result<Vec<u64>> {
    let mut look = |n_bytes| {
        reach(n_bytes);
        interrupt.check()
    };
    let header = &selection.header;
    format.begin(header, to)?;
    let mut counts = Vec::new();
    for (table, source) in header.tables.iter().zip(&selection.sources) {
        look(to.n_bytes())?;
        format.define(table, to)?;
        let Some(source) = source else {
            counts.push(0);
            continue;
        };
        format.begin_table(table, to)?;
        let n_rows = source.write(connection, (&mut *format, &mut *to), &mut look);
        counts.push(n_rows.map_err(|error| of_table(error, &table.name))?);
        format.end_table(to)?;
    }
    format.end(header, &counts, to)?;
    Ok(counts)
}

/// Reports which table failed; what is a refusal stays one.
fn of_table(error: anyhow::Error, table: &str) -> anyhow::Error {
    let what = format!("could not export table `{}`", text::plain(table));
    match error.downcast_ref::<Refusal>() {
        Some(refusal) if refusal.exit == Exit::Interrupted => error,
        Some(refusal) => Refusal { what: format!("{what}: {refusal}"), ..refusal.clone() }.into(),
        None => error.context(what),
    }
}
