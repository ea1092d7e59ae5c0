//! Rows that refer to missing ones, as SQLite's `foreign_key_check` finds them. A declaration that fits no
//! key of its parent makes that check fail as a whole, and SQLite takes it all the same while foreign
//! keys are off: such a table is passed over here, and said to be.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rusqlite::{Connection, Row};

use crate::database::{self, quoted};
use crate::text;

/// How often a child, parent, number of the foreign key and rowid are without a parent row; rows of a
/// table without rowids are counted together.
pub(crate) type Orphans = BTreeMap<(String, String, i64, Option<i64>), u64>;

/// How many rows have no parent, and what kept tables from being checked.
///
/// # Errors
///
/// As [`each`].
pub(crate) fn count(connection: &Connection) -> Result<(Orphans, Vec<String>)> {
    let mut counts = Orphans::new();
    let unchecked = each(connection, &mut |row| {
        let key = (row.get(0)?, row.get(2)?, row.get(3)?, row.get(1)?);
        *counts.entry(key).or_default() += 1;
        Ok(())
    })
    .context("could not check the foreign keys")?;
    Ok((counts, unchecked))
}

/// A child and a parent of which more references lead nowhere than before, and how many more.
#[must_use]
pub(crate) fn new<'o>(before: &Orphans, after: &'o Orphans) -> Option<(&'o str, &'o str, u64)> {
    let mut new = BTreeMap::<(&str, &str), u64>::new();
    for (key, n_after) in after {
        let n_new = n_after.saturating_sub(before.get(key).copied().unwrap_or(0));
        *new.entry((&key.0, &key.1)).or_default() += n_new;
    }
    let mut more = new.into_iter().filter(|(_, n_new)| *n_new > 0);
    more.next().map(|((child, parent), n_new)| (child, parent, n_new))
}

/// What is said of a table that could not be checked.
#[must_use]
pub(crate) fn unchecked(said: &str) -> String {
    format!("could not check foreign_key_check: {}", text::plain(said))
}

/// Hands on each row of the check: child, rowid, parent, number of the foreign key. Returns what kept
/// tables from being checked, in SQLite's words.
///
/// # Errors
///
/// Where the check fails in another way, or as `each`.
pub(crate) fn each(
    connection: &Connection,
    each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
) -> Result<Vec<String>> {
    if check(connection, "PRAGMA main.foreign_key_check", each)?.is_none() {
        return Ok(Vec::new());
    }
    let question = "SELECT name FROM main.sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut statement = connection.prepare(question)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut unchecked = Vec::new();
    for name in names {
        let one = format!("PRAGMA main.foreign_key_check({})", quoted(&name?));
        unchecked.extend(check(connection, &one, each)?);
    }
    Ok(unchecked)
}

/// Returns what SQLite says where a declaration fits nothing: then no row was handed on.
fn check(
    connection: &Connection,
    statement: &str,
    each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
) -> Result<Option<String>> {
    let mut statement = match connection.prepare(statement) {
        Ok(statement) => statement,
        Err(error) => {
            let error = error.into();
            let said = database::message(&error);
            return if said.contains("foreign key mismatch") { Ok(Some(said)) } else { Err(error) };
        }
    };
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(row)?;
    }
    Ok(None)
}
