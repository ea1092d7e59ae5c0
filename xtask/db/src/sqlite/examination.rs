//! A copy's findings; never a bool.
//!
//! Structural findings are damage of pages, trees or indexes: the content cannot be trusted. Data
//! findings (CHECK, NOT NULL, foreign keys, derived data out of step) are in a sound file and are
//! reported. A part that SQLite could not check because this build lacks a feature that the schema names,
//! e.g. a collation, is neither: it is recorded, and the rest is checked. An examination that fails
//! for any other reason is an error and never a pass.

mod derived_data;
pub(crate) mod finding;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use rusqlite::Connection;

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::console::threads;
use crate::sqlite::connection::{self, quoted};
use crate::sqlite::examination::finding::{Depth, Finding, Weight, has, weigh};
use crate::sqlite::foreign_keys;
use crate::sqlite::trouble::{self, Trouble, trouble};

/// Structural findings listed before the rest is left out: a broken file has thousands.
const MAX_STRUCTURAL: usize = 100;

/// Result of an examination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Examination {
    /// The findings, structural ones first.
    pub findings: Vec<Finding>,
    /// Rows per table; `None` if a table could not be counted.
    pub tables: BTreeMap<String, Option<u64>>,
    /// BLAKE3 of the schema's statements.
    pub schema_blake3: String,
    /// The version that the migration runner recorded, else `user_version`; `None` if unreadable.
    pub schema_version: Option<i64>,
}

/// Examines a finished file that nothing writes: the check on one thread, schema and row counts on
/// another.
///
/// # Errors
///
/// At the user's interrupt, or if the file cannot be opened or read to the end; damage is a finding.
pub(crate) fn examine(path: &Path, depth: Depth, interrupt: &Interrupt) -> Result<Examination> {
    examine_with(path, depth, interrupt, connection::open_immutable)
}

/// Examines a private stage: as [`examine`], quickly, CHECK constraints included.
///
/// # Errors
///
/// As [`examine`].
pub(crate) fn examine_stage(path: &Path, interrupt: &Interrupt) -> Result<Examination> {
    examine_with(path, Depth::Quick, interrupt, connection::open_private)
}

fn examine_with(
    path: &Path,
    depth: Depth,
    interrupt: &Interrupt,
    open: fn(&Path) -> Result<Connection>,
) -> Result<Examination> {
    let check = || check_file(path, depth, interrupt, open);
    let (checked, counted) = threads::both(check, || count_file(path, interrupt));
    conclude(checked?, counted)
}

/// Combines the results of a check and a count.
///
/// # Errors
///
/// At the user's interrupt, or if the schema could not be read for another reason than damage.
pub(crate) fn conclude(
    mut findings: Vec<Finding>,
    counted: Result<Examination>,
) -> Result<Examination> {
    let mut examination = match counted {
        Ok(examination) => examination,
        Err(error) => {
            findings.push(damage_of(error, "the schema")?);
            Examination::default()
        }
    };
    findings.append(&mut examination.findings);
    findings.sort();
    findings.dedup();
    Ok(Examination { findings, ..examination })
}

fn check_file(
    path: &Path,
    depth: Depth,
    interrupt: &Interrupt,
    open: fn(&Path) -> Result<Connection>,
) -> Result<Vec<Finding>> {
    let connection = match open(path) {
        Ok(connection) => connection,
        Err(error) => return Ok(vec![damage_of(error, "the file")?]),
    };
    let _watched = interrupt.watch(&connection);
    check(&connection, depth)
}

/// Checks an open database, in its own transaction if it has one.
///
/// # Errors
///
/// At the user's interrupt, or if it cannot be read to the end for another reason than damage.
pub(crate) fn check(connection: &Connection, depth: Depth) -> Result<Vec<Finding>> {
    // The one of the two that looks deeper sees everything that the other does.
    let pragma = if depth == Depth::Deep { "integrity_check" } else { "quick_check" };
    let mut findings = checked_by(connection, pragma)?;
    if depth == Depth::Deep && !has(&findings, Weight::Structural) {
        findings.append(&mut foreign_keys(connection)?);
    }
    Ok(findings)
}

/// Checks everything in a file except its foreign keys.
///
/// # Errors
///
/// As [`check`].
pub(crate) fn check_integrity(connection: &Connection) -> Result<Vec<Finding>> {
    checked_by(connection, "integrity_check")
}

/// Runs one of SQLite's own checks over the whole file. If this build lacks a feature that the
/// schema names, it runs table by table instead: everything that can be checked is, and the rest is
/// named.
fn checked_by(connection: &Connection, pragma: &str) -> Result<Vec<Finding>> {
    let error = match messages(connection, &format!("PRAGMA {pragma}(2147483647)")) {
        Ok(findings) => return Ok(findings),
        Err(error) if !trouble::lacks_what_schema_names(&error) => {
            return Ok(vec![damage_of(error, "the file")?]);
        }
        Err(error) => error,
    };
    // Only the check of the whole file sees pages that belong to no table.
    let mut findings = vec![finding_of(error, "free pages")?];
    let tables = match ordinary_tables(connection) {
        Ok(tables) => tables,
        Err(error) => return Ok(vec![damage_of(error, "the schema")?]),
    };
    for table in ["sqlite_schema".to_owned()].iter().chain(&tables) {
        match messages(connection, &format!("PRAGMA {pragma}({})", quoted(table))) {
            Ok(mut more) => findings.append(&mut more),
            Err(error) => findings.push(finding_of(error, &format!("table `{table}`"))?),
        }
    }
    Ok(findings)
}

fn messages(connection: &Connection, statement: &str) -> Result<Vec<Finding>> {
    let mut statement = connection.prepare(statement)?;
    let mut rows = statement.query([])?;
    let mut counts = BTreeMap::<(Weight, String), u64>::new();
    let mut n_structural = 0;
    while let Some(row) = rows.next()? {
        let message = String::from_utf8_lossy(row.get_ref(0)?.as_bytes()?).into_owned();
        if message == "ok" {
            continue;
        }
        refuse_failures(&message)?;
        let (weight, detail) = match derived_data::out_of_step(connection, &message) {
            Some(detail) => (Weight::Data, detail),
            None => (weigh(&message), message),
        };
        if weight == Weight::Structural {
            n_structural += 1;
            if n_structural > MAX_STRUCTURAL {
                break;
            }
        }
        *counts.entry((weight, detail)).or_default() += 1;
    }
    let findings = counts.into_iter();
    Ok(findings.map(|((kind, detail), count)| Finding { kind, detail, count }).collect())
}

/// Fails for a message that is not a finding, e.g. about a failing disk: SQLite reports everything
/// that keeps it from reading a full-text index in the same way
/// (<https://sqlite.org/src/file/ext/fts5/fts5_main.c>).
fn refuse_failures(message: &str) -> Result<()> {
    const FAILURES: [&str; 7] = [
        "disk I/O error",
        "out of memory",
        "unable to open database file",
        "database or disk is full",
        "database is locked",
        "database table is locked",
        "interrupted",
    ];
    let failed = message.starts_with("unable to validate the inverted index")
        && FAILURES.iter().any(|failure| message.ends_with(failure));
    anyhow::ensure!(!failed, "{}", crate::console::text::plain(message));
    Ok(())
}

fn foreign_keys(connection: &Connection) -> Result<Vec<Finding>> {
    let mut counts = BTreeMap::<(String, String), u64>::new();
    let checked = foreign_keys::each(connection, &mut |row| {
        *counts.entry((row.get(0)?, row.get(2)?)).or_default() += 1;
        Ok(())
    });
    match checked {
        Ok(unchecked) => {
            let unchecked = unchecked.iter().map(|said| foreign_keys::unchecked(said));
            let unchecked = unchecked.map(Finding::unchecked);
            let orphans = counts.iter().map(|((child, parent), n)| of_orphans(child, parent, *n));
            Ok(orphans.chain(unchecked).collect())
        }
        Err(error) => Ok(vec![finding_of(error, foreign_keys::CHECK)?]),
    }
}

fn of_orphans(child: &str, parent: &str, n: u64) -> Finding {
    let rows = crate::console::text::count(n, "row");
    let verb = if n == 1 { "refers to a row" } else { "refer to rows" };
    Finding {
        kind: Weight::Data,
        detail: format!("{rows} of `{child}` {verb} of `{parent}` that are not there"),
        count: 1,
    }
}

/// The finding that the failure of a statement means for the file: damage, or a feature that this
/// build lacks.
///
/// # Errors
///
/// The failure itself, if it is neither.
fn finding_of(error: anyhow::Error, what: &str) -> Result<Finding> {
    if trouble::lacks_what_schema_names(&error) {
        let said = trouble::message(&error);
        return Ok(Finding::unchecked(format!("could not check {what}: {said}")));
    }
    damage_of(error, what)
}

/// The damage that a failure tells of.
///
/// # Errors
///
/// The failure itself, if it is another one.
fn damage_of(error: anyhow::Error, what: &str) -> Result<Finding> {
    match trouble(&error) {
        Trouble::Damaged => Ok(Finding::structural(trouble::message(&error))),
        Trouble::Interrupted => Err(Refusal::interrupted()),
        _ => Err(error.context(format!("could not check {what}"))),
    }
}

fn count_file(path: &Path, interrupt: &Interrupt) -> Result<Examination> {
    let connection = connection::open_immutable(path)?;
    let _watched = interrupt.watch(&connection);
    count(&connection)
}

/// Reads the schema and counts the rows of an open database, in its own transaction if it has one.
///
/// # Errors
///
/// If the schema cannot be read, or a table for another reason than damage; at the user's interrupt.
pub(crate) fn count(connection: &Connection) -> Result<Examination> {
    let mut examination = Examination {
        schema_blake3: schema_hash(connection)?,
        schema_version: schema_version(connection),
        ..Examination::default()
    };
    for table in countable_tables(connection)? {
        let count = format!("SELECT count(*) FROM {}", quoted(&table));
        let counted = connection.query_row(&count, [], |row| row.get::<_, i64>(0));
        let n_rows = match counted.map_err(anyhow::Error::from) {
            Ok(n_rows) => u64::try_from(n_rows).ok(),
            // An unknown module is not a fault of the file: the null in its place is enough.
            Err(error) if trouble::lacks_what_schema_names(&error) => None,
            Err(error) => {
                let finding = damage_of(error, &format!("the rows of `{table}`"))?;
                examination.findings.push(finding);
                None
            }
        };
        examination.tables.insert(table, n_rows);
    }
    Ok(examination)
}

/// Hashes the schema's statements in a fixed order; statistics are not schema.
///
/// # Errors
///
/// If the schema cannot be read.
pub(crate) fn schema_hash(connection: &Connection) -> Result<String> {
    let mut statement = connection.prepare(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema
         WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' ORDER BY type, name, tbl_name",
    )?;
    let mut rows = statement.query([])?;
    let mut hasher = blake3::Hasher::new();
    while let Some(row) = rows.next()? {
        for column in 0..4 {
            let bytes = row.get_ref(column)?.as_bytes_or_null()?.unwrap_or_default();
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// The version of the schema: what a known migration runner recorded, else `user_version`, which
/// `rusqlite_migration` and many applications count.
#[must_use]
pub(crate) fn schema_version(connection: &Connection) -> Option<i64> {
    // sqlx, refinery; diesel's and sea-orm's versions are texts that begin with a number.
    const RUNNERS: [(&str, &str); 4] = [
        ("_sqlx_migrations", "SELECT max(version) FROM _sqlx_migrations WHERE success"),
        ("refinery_schema_history", "SELECT max(version) FROM refinery_schema_history"),
        (
            "__diesel_schema_migrations",
            "SELECT max(CAST(version AS INTEGER)) FROM __diesel_schema_migrations",
        ),
        // A day and a time: of one day there may be several.
        (
            "seaql_migrations",
            "SELECT max(CAST(CASE WHEN substr(version, 10, 1) = '_'
                             THEN substr(version, 2, 8) || substr(version, 11, 6)
                             ELSE substr(version, 2) END AS INTEGER)) FROM seaql_migrations",
        ),
    ];
    // A view of such a name could run for ever.
    let is_table = |name: &str| {
        let question = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        connection.query_row(question, [name], |_| Ok(())).is_ok()
    };
    let ask = |question: &str| {
        connection.query_row(question, [], |row| row.get::<_, Option<i64>>(0)).ok().flatten()
    };
    RUNNERS
        .iter()
        .filter(|(table, _)| is_table(table))
        .find_map(|(_, question)| ask(question))
        .or_else(|| ask("PRAGMA user_version"))
}

/// Every table with rows of its own: ordinary and virtual ones, without shadow tables.
///
/// # Errors
///
/// If the schema cannot be read.
pub(crate) fn countable_tables(connection: &Connection) -> Result<Vec<String>> {
    names(
        connection,
        "SELECT name FROM pragma_table_list WHERE schema = 'main'
         AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
}

fn ordinary_tables(connection: &Connection) -> Result<Vec<String>> {
    names(connection, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
}

fn names(connection: &Connection, query: &str) -> Result<Vec<String>> {
    let mut statement = connection.prepare(query)?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_each_runner_is_read_and_two_migrations_of_a_day_are_told_apart() {
        for (table, versions, expected) in [
            (
                "seaql_migrations",
                &["m20220101_000001_create", "m20220101_000002_add"][..],
                20_220_101_000_002,
            ),
            ("seaql_migrations", &["m20220101_create"], 20_220_101),
            (
                "__diesel_schema_migrations",
                &["20240501120000", "20240501120001"],
                20_240_501_120_001,
            ),
        ] {
            let connection = Connection::open_in_memory().expect("a database");
            let create = format!("CREATE TABLE {table} (version TEXT)");
            connection.execute_batch(&create).expect("a table");
            for version in versions {
                let insert = format!("INSERT INTO {table} VALUES (?1)");
                connection.execute(&insert, [version]).expect("a row");
            }
            assert_eq!(schema_version(&connection), Some(expected), "{versions:?}");
        }
    }

    #[test]
    fn messages_of_sqlite_are_weighed() {
        for (message, weight) in [
            ("CHECK constraint failed in messages", Weight::Data),
            ("NULL value in messages.role", Weight::Data),
            ("non-INTEGER value in strict.a", Weight::Data),
            ("TEXT value in t.a", Weight::Data),
            ("non-unique entry in index t_a", Weight::Structural),
            ("row 3 missing from index t_a", Weight::Structural),
            ("wrong # of entries in index t_a", Weight::Structural),
            ("Tree 4 page 7: btreeInitPage() returns error code 11", Weight::Structural),
            ("malformed inverted index for FTS5 table main.f", Weight::Structural),
            ("unable to validate the inverted index for FTS5 table main.f: x", Weight::Unchecked),
            ("Freelist: size is 3 but should be 4", Weight::Structural),
        ] {
            assert_eq!(weigh(message), weight, "{message}");
        }
    }
}
