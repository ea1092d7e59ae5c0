//! Full-text indexes over the rows of another table. They contain nothing of their own, and an
//! empty one finds nothing although every count is as before.

use anyhow::Result;
use rusqlite::Connection;

use crate::migrate::verdict::table_pairing::Match;
use crate::rows::diff::migrated_tables::Pairs;
use crate::rows::diff::table_pair::When;
use crate::sqlite::connection::quoted;
use crate::sqlite::schema::{Storage, Table};

/// A full-text index that has fewer rows in it than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    /// Its name.
    pub name: String,
    /// Rows that it found before.
    pub n_before: u64,
    /// Rows that it finds now; `None` if it is gone.
    pub n_after: Option<u64>,
    /// Whether the table that it is about has any rows now.
    pub has_content: bool,
}

/// Whether a table is a full-text index over the rows of another table.
#[must_use]
pub(super) fn is_derived(table: &Table) -> bool {
    content(table).is_some()
}

/// The table that a full-text index is about, if it keeps no rows of its own.
fn content(table: &Table) -> Option<&str> {
    let Storage::Virtual(module) = &table.storage else { return None };
    let content = table.constraints.iter().find_map(|option| {
        let (name, value) = option.split_once('=')?;
        (name.trim() == "content").then(|| value.trim().trim_matches(['"', '\'', '`']))
    });
    content.filter(|content| module.starts_with("fts") && !content.is_empty())
}

/// The indexes that have fewer rows in them.
///
/// # Errors
///
/// If one cannot be read.
pub(super) fn emptied(pairs: &Pairs<'_>, matches: &[Match<'_>]) -> Result<Vec<Index>> {
    let mut emptied = Vec::new();
    for found in matches {
        let (before, after) = match found {
            Match::Changed(before, after) => (before, Some(after)),
            Match::Gone(before) => (before, None),
            _ => continue,
        };
        if !is_derived(before) {
            continue;
        }
        let n_before = n_rows(pairs.connection(When::Before), before)?;
        let n_after =
            after.map(|after| n_rows(pairs.connection(When::After), after)).transpose()?;
        if n_after.unwrap_or(0) < n_before {
            let has_content = match after.and_then(|after| content(after)) {
                Some(content) => has_rows(pairs.connection(When::After), content),
                None => true,
            };
            emptied.push(Index { name: before.name.clone(), n_before, n_after, has_content });
        }
    }
    Ok(emptied)
}

/// Rows in an index, or its segments if it does not keep the sizes of rows.
fn n_rows(connection: &Connection, table: &Table) -> Result<u64> {
    for suffix in ["docsize", "idx", "segdir"] {
        let name = format!("{}_{suffix}", table.name);
        if table.shadows.iter().any(|shadow| shadow.name.eq_ignore_ascii_case(&name)) {
            let question = format!("SELECT count(*) FROM main.{}", quoted(&name));
            let n: i64 = connection.query_row(&question, [], |row| row.get(0))?;
            return Ok(n.unsigned_abs());
        }
    }
    Ok(0)
}

fn has_rows(connection: &Connection, table: &str) -> bool {
    let question = format!("SELECT 1 FROM main.{}", quoted(table));
    // The table that it indexes may be gone, or be a view that does not work.
    connection.prepare(&question).is_ok_and(|mut rows| rows.exists([]).unwrap_or(false))
}
