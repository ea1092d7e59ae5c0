//! Restores single tables, in one transaction of the live database.
//!
//! Triggers and foreign-key actions are off meanwhile: a delete must not cascade into tables that
//! were not named. Full-text indexes over a restored table are rebuilt in the same transaction, and
//! foreign keys are checked before it commits.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::sqlite::connection::{self, quoted};
use crate::sqlite::foreign_keys::{self, Orphans};
use crate::sqlite::full_text::rebuild_indexes;
use crate::sqlite::{access, wal};

/// Result for one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PutBack {
    /// Its name.
    pub table: String,
    /// Rows before; `None` if it was missing.
    pub n_before: Option<i64>,
    /// Number of rows after the restore, which is that of the backup.
    pub n_after: i64,
    /// Its triggers, which stayed quiet.
    pub triggers: Vec<String>,
}

/// Tables of a backup, and where they go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tables<'a> {
    /// Their names.
    pub names: &'a [String],
    /// The file of the backup.
    pub backup: &'a Path,
    /// The live database.
    pub live: &'a Path,
    /// How long its lock is waited for.
    pub busy_timeout: Duration,
}

impl Tables<'_> {
    /// Refuses tables that cannot be restored; changes nothing.
    ///
    /// # Errors
    ///
    /// A refusal if a table is not in the backup, is not an ordinary one, or has other columns.
    pub(crate) fn plan(&self) -> Result<()> {
        let connection = self.open()?;
        self.names.iter().try_for_each(|table| examine(&connection, table).map(|_| ()))
    }

    /// Restores them in one transaction. `keep` keeps the current state, while nobody else can write.
    /// Returns the result for each table, and why foreign keys could not be checked, if they could
    /// not.
    ///
    /// # Errors
    ///
    /// As [`Tables::plan`], or if foreign keys would be newly violated; then nothing is changed.
    pub(crate) fn put_back(
        &self,
        interrupt: &Interrupt,
        keep: impl FnOnce() -> Result<()>,
    ) -> Result<(Vec<PutBack>, Vec<String>)> {
        let connection = self.open()?;
        let watched = interrupt.watch(&connection);
        connection.execute_batch("PRAGMA synchronous=EXTRA; BEGIN IMMEDIATE;")?;
        keep()?;
        let (before, _) = foreign_keys::count(&connection)?;
        let done = self.names.iter().map(|table| one(&connection, table));
        let done = done.collect::<Result<Vec<_>>>()?;
        rebuild_indexes(&connection, self.names)?;
        let (after, unchecked) = foreign_keys::count(&connection)?;
        refuse_new_orphans(&before, &after)?;
        interrupt.check()?;
        connection.execute_batch("COMMIT")?;
        drop(watched);
        drop(connection);
        wal::take_in(self.live);
        Ok((done, unchecked))
    }

    fn open(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        access::demand_writable(self.live)?;
        let connection = connection::open_with(self.live, flags, self.busy_timeout)?;
        connection.execute_batch("PRAGMA foreign_keys=OFF")?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        let uri = connection::immutable_uri(self.backup)?;
        let attach = connection.execute("ATTACH ?1 AS backup", [uri]);
        attach.context("could not attach the backup")?;
        Ok(connection)
    }
}

fn refuse_new_orphans(before: &Orphans, after: &Orphans) -> Result<()> {
    match foreign_keys::new(before, after) {
        None => Ok(()),
        Some((child, parent, n_new)) => Err(Refusal::no(
            format!(
                "{} of `{child}` would refer to missing rows of `{parent}`",
                crate::console::text::count(n_new, "row")
            ),
            "restore the other table too, with another `--table`; the database is untouched",
        )),
    }
}

/// The columns to copy, and whether the table has to be created.
fn examine(connection: &Connection, table: &str) -> Result<(Vec<String>, bool)> {
    let theirs = columns(connection, "backup", table)?;
    if theirs.is_empty() {
        return Err(Refusal::could_not(
            format!("the backup has no table `{}`", crate::console::text::plain(table)),
            format!("it has {}", names(connection)?),
        ));
    }
    let kind: String = connection.query_row(
        "SELECT type FROM pragma_table_list WHERE schema = 'backup' AND name = ?1 COLLATE NOCASE",
        [table],
        |row| row.get(0),
    )?;
    if kind != "table" || table.to_ascii_lowercase().starts_with("sqlite_") {
        return Err(Refusal::could_not(
            format!("`{table}` is not an ordinary table and cannot be restored by itself"),
            "restore the whole database, or write the backup elsewhere with `--into PATH`",
        ));
    }
    let ours = columns(connection, "main", table)?;
    if !ours.is_empty() && ours != theirs {
        return Err(Refusal::could_not(
            format!("`{table}` has different columns now than in the backup"),
            "restore the whole database, or write the backup elsewhere with `--into PATH`",
        ));
    }
    Ok((theirs, ours.is_empty()))
}

fn one(connection: &Connection, table: &str) -> Result<PutBack> {
    let (columns, missing) = examine(connection, table)?;
    let n_before = if missing {
        create(connection, table)?;
        None
    } else {
        Some(count(connection, "main", table)?)
    };
    copy_rows(connection, table, &columns)?;
    let n_after = count(connection, "main", table)?;
    anyhow::ensure!(
        n_after == count(connection, "backup", table)?,
        "`{table}` does not have the backup's number of rows"
    );
    let triggers = triggers(connection, table)?;
    Ok(PutBack { table: table.to_owned(), n_before, n_after, triggers })
}

/// The ordinary columns, without generated ones.
fn columns(connection: &Connection, schema: &str, table: &str) -> Result<Vec<String>> {
    let question = "SELECT name FROM pragma_table_xinfo(?1, ?2) WHERE hidden = 0 ORDER BY cid";
    let mut statement = connection.prepare(question)?;
    let columns = statement.query_map([table, schema], |row| row.get(0))?;
    Ok(columns.collect::<Result<_, _>>()?)
}

fn names(connection: &Connection) -> Result<String> {
    let mut statement = connection.prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'backup' AND type = 'table'
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let names: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
}

/// Creates a table that was dropped, with its indexes and triggers, as the backup has it.
fn create(connection: &Connection, table: &str) -> Result<()> {
    let mut statement = connection.prepare(
        "SELECT sql FROM backup.sqlite_schema WHERE tbl_name = ?1 COLLATE NOCASE AND sql IS NOT NULL
         AND type IN ('table', 'index', 'trigger')
         ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END",
    )?;
    let statements: Vec<String> =
        statement.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let before = schema_size(connection)?;
    for sql in &statements {
        // One statement that creates; its text comes from a file and may be anything.
        let is_create = sql.get(..7).is_some_and(|verb| verb.eq_ignore_ascii_case("CREATE "));
        anyhow::ensure!(is_create, "the backup's schema of `{table}` is not valid");
        connection.execute(sql, []).with_context(|| format!("could not create `{table}`"))?;
    }
    let mine: i64 = connection.query_row(
        "SELECT count(*) FROM main.sqlite_schema WHERE tbl_name = ?1 COLLATE NOCASE",
        [table],
        |row| row.get(0),
    )?;
    anyhow::ensure!(
        schema_size(connection)? == before + mine,
        "the backup's schema of `{table}` is also of other tables"
    );
    Ok(())
}

/// Entries of the schema, but for SQLite's own.
fn schema_size(connection: &Connection) -> Result<i64> {
    let question = "SELECT count(*) FROM main.sqlite_schema WHERE tbl_name <> 'sqlite_sequence'";
    Ok(connection.query_row(question, [], |row| row.get(0))?)
}

fn copy_rows(connection: &Connection, table: &str, columns: &[String]) -> Result<()> {
    let name = quoted(table);
    let mut list: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    let without_rowid: bool = connection.query_row(
        "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE",
        [table],
        |row| row.get(0),
    )?;
    // Rows keep their rowids, which full-text indexes refer to, unless every name for it is taken.
    let is_taken = |alias: &&str| columns.iter().any(|column| column.eq_ignore_ascii_case(alias));
    if !without_rowid
        && let Some(alias) = ["rowid", "oid", "_rowid_"].into_iter().find(|alias| !is_taken(alias))
    {
        list.insert(0, alias.to_owned());
    }
    let list = list.join(", ");
    connection.execute_batch(&format!(
        "DELETE FROM main.{name}; INSERT INTO main.{name} ({list}) SELECT {list} FROM backup.{name};"
    ))?;
    keep_sequence(connection, table)
}

/// AUTOINCREMENT promises that an id is never used twice: the higher of both counters stays.
fn keep_sequence(connection: &Connection, table: &str) -> Result<()> {
    let has = |schema: &str| {
        let question = format!(
            "SELECT EXISTS (SELECT 1 FROM {schema}.sqlite_schema WHERE name = 'sqlite_sequence')"
        );
        connection.query_row(&question, [], |row| row.get::<_, bool>(0))
    };
    if has("main")? && has("backup")? {
        connection.execute(
            "UPDATE main.sqlite_sequence SET seq = max(seq, coalesce(
               (SELECT seq FROM backup.sqlite_sequence WHERE name = ?1 COLLATE NOCASE), 0))
             WHERE name = ?1 COLLATE NOCASE",
            [table],
        )?;
    }
    Ok(())
}

fn count(connection: &Connection, schema: &str, table: &str) -> Result<i64> {
    let question = format!("SELECT count(*) FROM {schema}.{}", quoted(table));
    Ok(connection.query_row(&question, [], |row| row.get(0))?)
}

/// The triggers of a table, which stay quiet while it is restored.
fn triggers(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let question = "SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE";
    let mut statement = connection.prepare(question)?;
    let names = statement.query_map([table], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {

    use crate::sqlite::full_text::external_content;

    #[test]
    fn the_content_table_of_a_full_text_index_is_found() {
        for (sql, content) in [
            (
                "CREATE VIRTUAL TABLE f USING fts5(a, content='notes', content_rowid='id')",
                Some("notes"),
            ),
            (
                "CREATE VIRTUAL TABLE f USING fts5(content, content_rowid=id, content = \"notes\")",
                Some("notes"),
            ),
            ("CREATE VIRTUAL TABLE f USING fts4(content=notes, a)", Some("notes")),
            ("CREATE VIRTUAL TABLE f USING fts5(content, title)", None),
            ("CREATE VIRTUAL TABLE r USING rtree(id, content, b)", None),
        ] {
            assert_eq!(external_content(sql).as_deref(), content, "{sql}");
        }
    }
}
