//! Writing what was decided: rows are updated in place and inserted, never deleted.

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, ErrorCode};

use crate::database::quoted;
use crate::merging::layout::Layout;
use crate::merging::naming::{self, Which};
use crate::merging::stage::{NEW, REPLACED};
use crate::refusal::Refusal;
use crate::text;

/// Whether anything is to be written.
///
/// # Errors
///
/// Where SQLite refuses.
pub(super) fn is_needed(connection: &Connection, layouts: &[Layout]) -> Result<bool> {
    for layout in layouts {
        if count(connection, layout, &format!("state IN ({NEW}, {REPLACED})"))? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes the rows of one table; returns whether there were any.
///
/// # Errors
///
/// A refusal where a constraint forbids a row.
pub(super) fn apply(connection: &Connection, layout: &Layout) -> Result<bool> {
    let n_before = rows_here(connection, layout)?;
    let n_replaced = each_or_all(connection, layout, &replacing(layout), REPLACED)?;
    let n_inserted = each_or_all(connection, layout, &inserting(layout), NEW)?;
    let n_replacing = count(connection, layout, &format!("state = {REPLACED}"))?;
    let n_inserting = count(connection, layout, &format!("state = {NEW}"))?;
    let n_after = rows_here(connection, layout)?;
    ensure!(
        n_replaced == n_replacing && n_inserted == n_inserting && n_after == n_before + n_inserted,
        "`{}` has {n_after} rows after {n_inserted} of {n_inserting} new ones and {n_before} before, \
         {n_replaced} of {n_replacing} replaced: nothing was changed",
        text::plain(&layout.name)
    );
    Ok(n_replaced + n_inserted > 0)
}

/// A constraint's own `ON CONFLICT REPLACE` would take rows away: ABORT overrides it.
fn inserting(layout: &Layout) -> String {
    let names: Vec<String> = layout.columns.iter().map(|column| quoted(&column.name)).collect();
    let values: Vec<String> = (0..layout.columns.len()).map(|at| format!("s.c{at}")).collect();
    format!(
        "INSERT OR ABORT INTO {} ({}) SELECT {} FROM {} AS s WHERE s.state = {NEW}",
        layout.here(),
        names.join(", "),
        values.join(", "),
        layout.stage()
    )
}

fn replacing(layout: &Layout) -> String {
    let shared = layout.content().filter(|at| layout.columns[*at].in_file);
    let sets = shared.map(|at| format!("{} = s.c{at}", quoted(&layout.columns[at].name)));
    format!(
        "UPDATE OR ABORT {} AS t SET {} FROM {} AS s WHERE s.state = {REPLACED} AND {}",
        layout.here(),
        sets.collect::<Vec<_>>().join(", "),
        layout.stage(),
        layout.located()
    )
}

/// All rows of a state by one statement; where that fails, each by itself, to know which it is.
fn each_or_all(
    connection: &Connection,
    layout: &Layout,
    statement: &str,
    state: u8,
) -> Result<usize> {
    if count(connection, layout, &format!("state = {state}"))? == 0 {
        return Ok(0);
    }
    let ordered = if state == NEW { " ORDER BY s.n" } else { "" };
    let error = match connection.execute(&format!("{statement}{ordered}"), []) {
        Ok(n) => return Ok(n),
        Err(error) => error,
    };
    // A text where an INTEGER PRIMARY KEY must be is a mismatch.
    let is_of_a_row = [ErrorCode::ConstraintViolation, ErrorCode::TypeMismatch];
    if !error.sqlite_error_code().is_some_and(|code| is_of_a_row.contains(&code)) {
        let what = format!("could not write the rows of `{}`", text::plain(&layout.name));
        return Err(error).context(what);
    }
    let mut numbers = connection
        .prepare(&format!("SELECT n FROM {} WHERE state = {state} ORDER BY n", layout.stage()))?;
    let numbers =
        numbers.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut one = connection.prepare(&format!("{statement} AND s.n = ?1"))?;
    for number in numbers {
        if let Err(error) = one.execute([number]) {
            let condition = format!("WHERE s.n = {number}");
            let which = Which { condition: &condition, reason: "NULL" };
            let named = naming::rows(connection, layout, &which)?.named;
            let row = named.first().map_or_else(String::new, |named| format!(" ({})", named.row));
            return Err(Refusal::no(
                format!(
                    "a row of `{}`{row} cannot be here: {}",
                    text::plain(&layout.name),
                    text::plain(&error.to_string())
                ),
                "correct it in the file or here; the database is untouched",
            ));
        }
    }
    Err(error)
        .with_context(|| format!("could not write the rows of `{}`", text::plain(&layout.name)))
}

fn count(connection: &Connection, layout: &Layout, condition: &str) -> Result<usize> {
    let question = format!("SELECT count(*) FROM {} WHERE {condition}", layout.stage());
    let n: i64 = connection.query_row(&question, [], |row| row.get(0))?;
    Ok(n.try_into()?)
}

fn rows_here(connection: &Connection, layout: &Layout) -> Result<usize> {
    let question = format!("SELECT count(*) FROM {}", layout.here());
    let n: i64 = connection.query_row(&question, [], |row| row.get(0))?;
    Ok(n.try_into()?)
}
