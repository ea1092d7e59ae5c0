//! Writing an export: each table's rows in their order, through a format into a sink.

use anyhow::Result;
use rusqlite::Connection;

use crate::interrupt::Interrupt;
use crate::portable::Format;
use crate::portable::contents::Contents;
use crate::portable::sink::Sink;
use crate::refusal::{Exit, Refusal};
use crate::text;

/// Rows after which is looked whether the user interrupts.
const ROWS_BETWEEN_LOOKS: u64 = 1 << 12;

/// Writes everything; returns the number of rows of each table of the header. `reach` hears how many
/// bytes were written, now and then.
///
/// # Errors
///
/// Where a table cannot be read, the sink fails, or the user interrupts.
pub(crate) fn write(
    (connection, contents): (&Connection, &Contents),
    format: &mut dyn Format,
    to: &mut Sink<'_>,
    (interrupt, reach): (&Interrupt, &mut dyn FnMut(u64)),
) -> Result<Vec<u64>> {
    format.begin(&contents.header, to)?;
    let mut counts = Vec::new();
    for (table, source) in contents.header.tables.iter().zip(&contents.sources) {
        interrupt.check()?;
        format.define(table, to)?;
        let Some(source) = source else {
            counts.push(0);
            continue;
        };
        format.begin_table(table, to)?;
        let mut n_rows = 0_u64;
        let read = source.read(connection, |value| {
            if let Some((at, cell)) = value {
                return format.value(at, cell, to);
            }
            format.end_row(to)?;
            n_rows += 1;
            if n_rows.is_multiple_of(ROWS_BETWEEN_LOOKS) {
                reach(to.n_bytes());
                interrupt.check()?;
            }
            Ok(())
        });
        read.map_err(|error| of_table(error, &table.name))?;
        format.end_table(to)?;
        counts.push(n_rows);
    }
    format.end(&contents.header, &counts, to)?;
    Ok(counts)
}

/// Says which table failed; what is a refusal stays one.
fn of_table(error: anyhow::Error, table: &str) -> anyhow::Error {
    let what = format!("could not export table `{}`", text::plain(table));
    match error.downcast_ref::<Refusal>() {
        Some(refusal) if refusal.exit == Exit::Interrupted => error,
        Some(refusal) => Refusal { what: format!("{what}: {refusal}"), ..refusal.clone() }.into(),
        None => error.context(what),
    }
}
