//! Primary keys like `INT PRIMARY KEY`, `BIGINT` and `SERIAL`. SQLite does not assign their
//! numbers, so they may identify a row (a year, a code), or be numbers that two databases gave to
//! different rows. As long as rows with equal numbers are equal, it does not matter; if they
//! differ, only the user knows.

use anyhow::Result;
use rusqlite::Connection;
use xtask_db_format::Affinity;

use crate::console::text;
use crate::host::project::Database;
use crate::rows::merge::fate::Fate::{Conflicting, Kept, New, Replaced};
use crate::rows::merge::keys::By;
use crate::rows::merge::layout::{Layout, Rule};
use crate::rows::merge::report::Problem;
use crate::rows::merge::request::Source;
use crate::rows::merge::row_names::{self, Which};
use crate::rows::merge::stage_columns::StageColumns;
use crate::sqlite::declared_references::lines;

/// The rows of a table that have the number of a different row of the database, by a key that may
/// be just a number. Contents have already been compared.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn doubtful(
    connection: &Connection,
    layout: &Layout,
    database: &Database,
    source: &Source,
) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for (number, rule) in layout.rules.iter().enumerate() {
        let Some(at) = number_of(layout, rule) else { continue };
        let (name, value) = (&layout.columns[at].name, StageColumns::of("s").value(at));
        let (table, column) = (text::plain(&layout.name), text::plain(name));
        let (key, renumber) = ways(database, layout, name);
        let differing = format!(
            "WHERE s.rule = {number} AND typeof({value}) = 'integer'
             AND s.state IN ({Kept}, {Replaced}, {Conflicting})"
        );
        let which = Which { condition: &differing, reason: "s.reason" };
        let rows = row_names::rows(connection, layout, &which)?;
        if rows.n > 0 {
            problems.push(Problem {
                file: source.shown.clone(),
                what: format!(
                    "{} of `{table}` differ from the rows here that have the same number, `{column}`",
                    text::count(rows.n, "row")
                ),
                table: table.clone(),
                rows,
                hint: format!(
                    "declare in `[workspace.metadata.db.databases.{}]` whether equal numbers mean \
                     the same row: `{key}`, or whether each database assigns its own: \
                     `{renumber}`; the database is untouched",
                    text::plain(&database.name)
                ),
            });
        }
        let taken = format!(
            "WHERE s.rule <> {number} AND s.state = {New} AND typeof({value}) = 'integer' AND EXISTS (
               SELECT 1 FROM {} AS t WHERE {})",
            layout.here(),
            layout.same_key(rule)
        );
        let rows =
            row_names::rows(connection, layout, &Which { condition: &taken, reason: "NULL" })?;
        if rows.n > 0 {
            problems.push(Problem {
                file: source.shown.clone(),
                what: format!(
                    "{} of `{table}` are new, and other rows here have their numbers, `{column}`",
                    text::count(rows.n, "row")
                ),
                table,
                rows,
                hint: format!(
                    "if each database assigns its own numbers, declare that in \
                     `[workspace.metadata.db.databases.{}]`: `{renumber}`; the database is \
                     untouched",
                    text::plain(&database.name)
                ),
            });
        }
    }
    Ok(problems)
}

/// The only column of a primary key that takes numbers and refers to nothing.
fn number_of(layout: &Layout, rule: &Rule) -> Option<usize> {
    let [at] = rule.columns.as_slice() else { return None };
    let takes_numbers = [Affinity::Integer, Affinity::Numeric, Affinity::Blob]
        .iter()
        .any(|affinity| affinity.word() == layout.columns[*at].affinity);
    let is_own = layout.links_of(&[*at]) == 0;
    (rule.by == By::Primary && takes_numbers && is_own).then_some(*at)
}

/// The lines that declare one or the other, including the existing configuration.
fn ways(database: &Database, layout: &Layout, column: &str) -> (String, String) {
    let (mut keys, mut tables) = (database.merge_key.clone(), database.renumber.clone());
    keys.insert(layout.name.clone(), vec![column.to_owned()]);
    tables.push(layout.name.clone());
    (lines::merge_key(&keys), lines::renumber(&tables))
}
