//! The rows of the older state, read from its dump; those of the newer one, read from its database.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::console::interrupt::Interrupt;
use crate::migrate::on_server::names::Named;
use crate::migrate::on_server::rows_file::{LinesOf, RowsFile};
use crate::postgres::copy_rows::Lines;
use crate::postgres::dump::pieces::Piece;
use crate::postgres::dump::read_back::{Dump, each_piece};
use crate::postgres::place::Place;
use crate::postgres::psql::Psql;
use crate::postgres::quoting::name;

/// Reads the rows of some tables from a dump.
///
/// # Errors
///
/// If the dump is damaged, there is no room, or at the user's interrupt.
pub(super) fn from_dump(
    dump: Dump<'_>,
    tables: &[Named<'_>],
    to: &RowsFile,
    interrupt: &Interrupt,
) -> Result<()> {
    let mut open: Option<(LinesOf, Lines)> = None;
    let mut seen = BTreeSet::new();
    each_piece(dump, interrupt, &mut |piece| {
        match piece {
            Piece::Copy(_, target) => {
                let is_it = |table: &&Named<'_>| {
                    table.before.is_some_and(|before| before.name == target.name)
                };
                open = None;
                seen.insert(target.name.clone());
                if let Some(table) = tables.iter().find(is_it) {
                    let column = |wanted: &String| {
                        let mut columns = table.columns.iter();
                        columns.find(|column| column.before.is_some_and(|c| c.name == *wanted))
                    };
                    let columns: Option<Vec<_>> =
                        target.column_names().iter().map(column).collect();
                    let columns =
                        columns.context("the dump has a column that the table had not")?;
                    open = Some((to.lines_of(table, &columns), Lines::default()));
                }
            }
            Piece::Rows(bytes, _) => {
                if let Some((of, lines)) = &mut open {
                    lines.take(bytes, &mut |line| to.add(of, line))?;
                }
            }
            _ => open = None,
        }
        Ok(())
    })?;
    // A table whose rows are not found must not count as an empty one.
    let is_missing = |name: &&String| !seen.contains(*name);
    let mut names = tables.iter().filter_map(|table| table.before.map(|before| &before.name));
    match names.find(is_missing) {
        Some(name) => anyhow::bail!("the dump has no rows of `{name}`"),
        None => Ok(()),
    }
}

/// Keeps the primary keys that the older state had, if the values of their columns still tell rows apart.
///
/// # Errors
///
/// If the server refuses, or at the user's interrupt.
pub(super) fn keep_keys(place: Place<'_>, tables: &mut [Named<'_>]) -> Result<()> {
    let mut psql = Psql::connect(place.server, place.programs.any()?, place.interrupt)?;
    psql.run("SET row_security = off;")?;
    for table in tables {
        let (Some(after), Some(key)) = (table.after, table.former_key_now()) else { continue };
        let columns: Vec<_> = key.iter().map(|column| name(column)).collect();
        let nulls: Vec<_> = columns.iter().map(|column| format!("{column} IS NULL")).collect();
        let (list, table_name) = (columns.join(", "), &after.name);
        let Unique { is_unique } = psql.row(&format!(
            "SELECT NOT EXISTS (SELECT FROM ONLY {table_name} GROUP BY {list} HAVING count(*) > 1) AND NOT EXISTS \
             (SELECT FROM ONLY {table_name} WHERE {}) AS is_unique",
            nulls.join(" OR ")
        ))?;
        if is_unique {
            table.keep_former_key();
        }
    }
    psql.close()
}

#[derive(Debug, Deserialize)]
struct Unique {
    is_unique: bool,
}

/// Reads the rows of some tables from a database, in one snapshot.
///
/// # Errors
///
/// If the server refuses, there is no room, or at the user's interrupt.
pub(super) fn from_database(place: Place<'_>, tables: &[Named<'_>], to: &RowsFile) -> Result<()> {
    let mut psql = Psql::connect(place.server, place.programs.any()?, place.interrupt)?;
    psql.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off;")?;
    for table in tables {
        let Some(after) = table.after else { continue };
        let columns = to.columns(table);
        let names: Vec<_> =
            columns.iter().filter_map(|column| Some(name(&column.after?.name))).collect();
        let copy =
            format!("COPY (SELECT {} FROM ONLY {}) TO STDOUT;", names.join(", "), after.name);
        let (of, mut lines) = (to.lines_of(table, &columns), Lines::default());
        psql.ask(&copy, &mut |bytes| lines.take(bytes, &mut |line| to.add(&of, line)))?;
    }
    psql.close()
}
