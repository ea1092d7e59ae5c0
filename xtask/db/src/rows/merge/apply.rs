//! Writes what was decided: rows are updated in place and inserted. SQLite judges whether all of
//! them can coexist; rows that are only in each other's way are moved out of it first.

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, ErrorCode};

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::merge::collision::{self, Collision};
use crate::rows::merge::fate::Fate::{New, Replaced};
use crate::rows::merge::layout::Layout;
use crate::rows::merge::row_names::{self, Which};
use crate::rows::merge::stage_columns::StageColumns;
use crate::rows::merge::swapped_rows::{self, Writing};
use crate::sqlite::connection::quoted;

/// Whether anything is to be written.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn is_needed(connection: &Connection, layouts: &[Layout]) -> Result<bool> {
    for layout in layouts {
        if count(connection, layout, &format!("state IN ({New}, {Replaced})"))? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Result of writing the rows of one table.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Whether anything was changed.
    pub changes: bool,
    /// Rows that have no place here, because another row has the same unique values. If there are any, the
    /// table contains nonsense until the caller rolls it back.
    pub collisions: Vec<Collision>,
}

/// Writes the rows of one table.
///
/// # Errors
///
/// A refusal if a constraint other than uniqueness forbids a row.
pub(super) fn apply(connection: &Connection, layout: &Layout) -> Result<Written> {
    let n_before = rows_here(connection, layout)?;
    let replaced = replace(connection, layout)?;
    let mut collisions = replaced.collisions;
    let inserted = each_or_all(connection, layout, &inserting(layout))?;
    collisions.extend(inserted.collisions);
    let changes = replaced.n + inserted.n > 0;
    if !collisions.is_empty() {
        return Ok(Written { changes, collisions });
    }
    let n_replacing = count(connection, layout, &format!("state = {Replaced}"))?;
    let n_inserting = count(connection, layout, &format!("state = {New}"))?;
    let n_after = rows_here(connection, layout)?;
    let (n_replaced, n_inserted) = (replaced.n, inserted.n);
    ensure!(
        n_replaced == n_replacing && n_inserted == n_inserting && n_after == n_before + n_inserted,
        "`{}` has {n_after} rows after {n_inserted} of {n_inserting} new ones and {n_before} before, \
         {n_replaced} of {n_replacing} replaced: nothing was changed",
        text::plain(&layout.name)
    );
    Ok(Written { changes, collisions })
}

/// Updates rows in place. A row may need the unique value that another one is about to give up (two swap
/// places, a list moves up by one): then all of them leave and come back with their new values.
fn replace(connection: &Connection, layout: &Layout) -> Result<Done> {
    if count(connection, layout, &format!("state = {Replaced}"))? == 0 {
        return Ok(Done::default());
    }
    match connection.execute(&replacing(layout), []) {
        Ok(n) => Ok(Done { n, collisions: Vec::new() }),
        Err(error) if collision::is_one(&error) => {
            let insert = swapped_rows::take_out(connection, layout)?;
            let done = each_or_all(connection, layout, &insert)?;
            swapped_rows::forget(connection)?;
            Ok(done)
        }
        Err(_) => each_or_all(connection, layout, &one_by_one(layout)),
    }
}

/// How many rows were written, and which have no place.
#[derive(Default)]
struct Done {
    n: usize,
    collisions: Vec<Collision>,
}

/// A constraint's own `ON CONFLICT REPLACE` would take rows away: ABORT overrides it.
fn inserting(layout: &Layout) -> Writing {
    let names: Vec<String> = layout.columns.iter().map(|column| quoted(&column.name)).collect();
    let s = StageColumns::of("s");
    let values: Vec<String> = (0..layout.columns.len()).map(|at| s.value(at)).collect();
    let statement = format!(
        "INSERT OR ABORT INTO {} ({}) SELECT {} FROM {} AS s WHERE s.state = {New}",
        layout.here(),
        names.join(", "),
        values.join(", "),
        layout.stage()
    );
    Writing { statement, order: " ORDER BY s.n", fate: New }
}

fn replacing(layout: &Layout) -> String {
    let shared = layout.content().filter(|at| layout.columns[*at].in_file);
    let s = StageColumns::of("s");
    let sets = shared.map(|at| format!("{} = {}", quoted(&layout.columns[at].name), s.value(at)));
    format!(
        "UPDATE OR ABORT {} AS t SET {} FROM {} AS s WHERE s.state = {Replaced} AND {}",
        layout.here(),
        sets.collect::<Vec<_>>().join(", "),
        layout.stage(),
        layout.located(s)
    )
}

fn one_by_one(layout: &Layout) -> Writing {
    Writing { statement: replacing(layout), order: "", fate: Replaced }
}

/// Writes all rows with one fate by one statement; if that fails, each by itself, to find the one
/// that failed.
fn each_or_all(connection: &Connection, layout: &Layout, writing: &Writing) -> Result<Done> {
    let Writing { statement, order, fate } = writing;
    if count(connection, layout, &format!("state = {fate}"))? == 0 {
        return Ok(Done::default());
    }
    let error = match connection.execute(&format!("{statement}{order}"), []) {
        Ok(n) => return Ok(Done { n, collisions: Vec::new() }),
        Err(error) => error,
    };
    let what = || format!("could not write the rows of `{}`", text::plain(&layout.name));
    // A text if an INTEGER PRIMARY KEY must be is a mismatch.
    let is_of_a_row = [ErrorCode::ConstraintViolation, ErrorCode::TypeMismatch];
    if !error.sqlite_error_code().is_some_and(|code| is_of_a_row.contains(&code)) {
        return Err(error).with_context(what);
    }
    let mut numbers = connection
        .prepare(&format!("SELECT n FROM {} WHERE state = {fate} ORDER BY n", layout.stage()))?;
    let numbers =
        numbers.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut one = connection.prepare(&format!("{statement} AND s.n = ?1"))?;
    let mut done = Done::default();
    for row in numbers {
        match one.execute([row]) {
            Ok(n) => done.n += n,
            Err(error) if collision::is_one(&error) => {
                let reason = collision::reason(connection, layout, &error.to_string())?;
                done.collisions.push(Collision { row, reason, fate: *fate });
            }
            Err(error) => return Err(forbidden(connection, layout, row, &error)?),
        }
    }
    if done.collisions.is_empty() { Err(error).with_context(what) } else { Ok(done) }
}

fn forbidden(
    connection: &Connection,
    layout: &Layout,
    row: i64,
    error: &rusqlite::Error,
) -> Result<anyhow::Error> {
    let condition = format!("WHERE s.n = {row}");
    let which = Which { condition: &condition, reason: "NULL" };
    let named = row_names::rows(connection, layout, &which)?.named;
    let row = named.first().map_or_else(String::new, |named| format!(" ({})", named.row));
    Ok(Refusal::no(
        format!(
            "a row of `{}`{row} cannot be here: {}",
            text::plain(&layout.name),
            text::plain(&error.to_string())
        ),
        "correct it in the file or here; the database is untouched",
    ))
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
