//! Rows that refer to missing ones, as SQLite's `foreign_key_check` finds them. That check fails as
//! a whole if a declaration matches no key of its parent, which SQLite accepts while foreign keys
//! are off. Only that foreign key is skipped here, and named.

mod keys;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rusqlite::{Connection, Row};

use crate::console::text;
use crate::sqlite::connection::quoted;
use crate::sqlite::trouble;

/// How often a child, parent, number of the foreign key and rowid are without a parent row; rows of a
/// table without rowids are counted together.
pub(crate) type Orphans = BTreeMap<(String, String, i64, Option<i64>), u64>;

/// How many rows have no parent, and the reasons why tables could not be checked.
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

/// Name of the PRAGMA that checks the references of a database.
pub(crate) const CHECK: &str = "foreign_key_check";

/// The message about a table that could not be checked.
#[must_use]
pub(crate) fn unchecked(said: &str) -> String {
    format!("could not check {CHECK}: {}", text::plain(said))
}

/// The table that this is about.
#[must_use]
pub(crate) fn child(said: &str) -> Option<&str> {
    said.split_once(" - \"")?.1.split_once("\" referencing \"").map(|(child, _)| child)
}

/// Passes on each row of the check: child, rowid, parent, number of the foreign key. Returns the
/// declarations that could not be checked, in SQLite's words.
///
/// # Errors
///
/// If the check fails in another way, or as `each`.
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
        let name = name?;
        let one = format!("PRAGMA main.foreign_key_check({})", quoted(&name));
        let Some(said) = check(connection, &one, each)? else { continue };
        let unfit = keys::each(connection, &name, each)?;
        if unfit.is_empty() {
            unchecked.push(said);
        }
        unchecked.extend(unfit.iter().map(|parent| mismatch(&name, parent)));
    }
    Ok(unchecked)
}

/// SQLite's own words for a declaration that fits no key.
fn mismatch(child: &str, parent: &str) -> String {
    format!("foreign key mismatch - \"{child}\" referencing \"{parent}\"")
}

/// Returns SQLite's message if a declaration matches nothing: then no row was passed on.
fn check(
    connection: &Connection,
    statement: &str,
    each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
) -> Result<Option<String>> {
    let mut statement = match connection.prepare(statement) {
        Ok(statement) => statement,
        Err(error) => {
            let error = error.into();
            let said = trouble::message(&error);
            return if said.contains("foreign key mismatch") { Ok(Some(said)) } else { Err(error) };
        }
    };
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(row)?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::connection;

    fn check(schema: &str, n_orphans: u64, unchecked: &[&str]) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        let connection =
            connection::open_or_create(&path, std::time::Duration::ZERO).expect("a database");
        let setup = format!("PRAGMA foreign_keys=OFF; {schema}");
        connection.execute_batch(&setup).expect(schema);
        let (orphans, said) = count(&connection).expect(schema);
        assert_eq!(orphans.values().sum::<u64>(), n_orphans, "{schema}");
        assert_eq!(said, unchecked, "{schema}");
    }

    #[test]
    fn a_declaration_that_fits_nothing_hides_no_other_one() {
        const PARENT: &str = "CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT UNIQUE, loose);
            INSERT INTO p VALUES (1, 'x', 5);";
        let unfit = "foreign key mismatch - \"c\" referencing \"p\"";
        for (child, n_orphans, unchecked) in [
            ("CREATE TABLE c (a REFERENCES p); INSERT INTO c VALUES (1), (2), (NULL)", 1, vec![]),
            (
                "CREATE TABLE c (a REFERENCES p, b REFERENCES p (loose));
                 INSERT INTO c VALUES (1, 9), (2, 5), ('1', 5), (NULL, 5)",
                1,
                vec![unfit],
            ),
            (
                "CREATE TABLE c (a REFERENCES p (code), b REFERENCES p (gone), n REFERENCES no,
                 PRIMARY KEY (a)) WITHOUT ROWID; INSERT INTO c VALUES ('x', 1, 1), ('y', 1, NULL)",
                2,
                vec![unfit],
            ),
            (
                "CREATE TABLE c (a, b, FOREIGN KEY (a, b) REFERENCES p,
                     FOREIGN KEY (a) REFERENCES p); INSERT INTO c VALUES (7, 7)",
                1,
                vec![unfit],
            ),
        ] {
            check(&format!("{PARENT} {child}"), n_orphans, &unchecked);
        }
        // Another table's declaration that fits nothing.
        check(
            &format!(
                "{PARENT} CREATE TABLE c (a REFERENCES p (loose)); INSERT INTO c VALUES (9);
                 CREATE TABLE d (a REFERENCES p); INSERT INTO d VALUES (9)"
            ),
            1,
            &[unfit],
        );
    }
}
