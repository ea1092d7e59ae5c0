//! The chosen rows of one table: their keys, and the step in which each was found.

use std::fmt::Write as _;

use anyhow::Result;
use rusqlite::Connection;

use crate::sqlite::connection::quoted;
use crate::sqlite::schema::{Storage, Table};

/// One table and the rows that were chosen of it.
#[derive(Debug)]
pub(crate) struct Member {
    /// The table, as statements name it.
    pub(super) table: String,
    /// Number in the names of its TEMP tables.
    number: usize,
    /// The columns that identify its rows.
    key: Vec<Part>,
    /// How many rows were taken, once that is known.
    pub n_rows: u64,
    /// How many there are.
    pub n_all: u64,
}

/// One of the columns that identify rows.
#[derive(Debug)]
struct Part {
    /// The column, as statements name it.
    column: String,
    /// Collation by which the rows are kept; `None` for a rowid.
    collation: Option<String>,
}

impl Member {
    /// Creates the TEMP table for it, still empty; `None` if nothing identifies its rows.
    ///
    /// # Errors
    ///
    /// If SQLite cannot.
    pub(super) fn create(
        connection: &Connection,
        table: &Table,
        number: usize,
    ) -> Result<Option<Self>> {
        let key = key(connection, table)?;
        if key.is_empty() {
            return Ok(None);
        }
        let table = format!("main.{}", quoted(&table.name));
        let member = Self { table, number, key, n_rows: 0, n_all: 0 };
        let (columns, rows, steps) = (member.key_columns("k"), member.rows(), member.steps());
        let end = if member.key[0].collation.is_some() {
            let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
            format!(", PRIMARY KEY ({})) WITHOUT ROWID", names.join(", "))
        } else {
            ")".to_owned()
        };
        let key: Vec<String> = columns
            .iter()
            .map(|(name, kind)| match *kind {
                "" => name.clone(),
                kind => format!("{name} {kind} PRIMARY KEY"),
            })
            .collect();
        let name = member.name();
        connection.execute_batch(&format!(
            "CREATE TEMP TABLE {rows} ({}, step INTEGER NOT NULL{end};
             CREATE INDEX temp.{steps} ON {name} (step);",
            key.join(", "),
            rows = rows.trim_start_matches("temp."),
        ))?;
        Ok(Some(member))
    }

    fn name(&self) -> String {
        format!("\"xtask-db rows {}\"", self.number)
    }

    /// The TEMP table of the rows that were taken: `k0`, `k1` … and `step`.
    #[must_use]
    pub(crate) fn rows(&self) -> String {
        format!("temp.{}", self.name())
    }

    /// Its index by steps.
    pub(super) fn steps(&self) -> String {
        format!("\"xtask-db steps {}\"", self.number)
    }

    /// Names and declarations of columns for the parts of its key: without affinity, except for
    /// rowids, so that values stay as they are.
    pub(super) fn key_columns(&self, prefix: &str) -> Vec<(String, &'static str)> {
        let declared = |part: &Part| if part.collation.is_some() { "" } else { "INTEGER" };
        let parts = self.key.iter().enumerate();
        parts.map(|(n, part)| (format!("{prefix}{n}"), declared(part))).collect()
    }

    /// The key of a row, for a SELECT.
    pub(super) fn key_of(&self, alias: &str) -> String {
        let parts: Vec<String> =
            self.key.iter().map(|part| format!("{alias}.{}", part.column)).collect();
        parts.join(", ")
    }

    /// SQL condition: a row of the table is the one whose key is in columns with this prefix.
    #[must_use]
    pub(crate) fn is_row(&self, alias: &str, prefix: &str) -> String {
        let mut condition = String::new();
        for (n, Part { column, collation }) in self.key.iter().enumerate() {
            let and = if n > 0 { " AND " } else { "" };
            let collate = collation.as_ref().map(|name| format!(" COLLATE {name}"));
            let collate = collate.unwrap_or_default();
            let _ = write!(condition, "{and}{alias}.{column}{collate} = {prefix}{n}");
        }
        condition
    }

    /// Counts the chosen rows, and all rows.
    pub(super) fn count(&mut self, connection: &Connection) -> Result<()> {
        let count = |table: &str| -> Result<u64> {
            let question = format!("SELECT count(*) FROM {table}");
            let n: i64 = connection.query_row(&question, [], |row| row.get(0))?;
            Ok(n.cast_unsigned())
        };
        (self.n_rows, self.n_all) = (count(&self.rows())?, count(&self.table)?);
        Ok(())
    }
}

/// The rowid, or the primary key of a table without one, with the collations of its tree. A
/// collation that the application defines is read by bytes.
fn key(connection: &Connection, table: &Table) -> Result<Vec<Part>> {
    if table.storage != Storage::WithoutRowid {
        let rowid = table.rowid_name().map(|name| quoted(&name));
        return Ok(rowid.map(|column| Part { column, collation: None }).into_iter().collect());
    }
    let mut statement = connection.prepare(
        "SELECT name, upper(coll) FROM pragma_index_xinfo(
             (SELECT name FROM pragma_index_list(?1) WHERE origin = 'pk')) WHERE key",
    )?;
    let parts = statement.query_map([&table.name], |row| {
        let (column, collation): (String, String) = (row.get(0)?, row.get(1)?);
        let is_known = ["BINARY", "NOCASE", "RTRIM"].contains(&collation.as_str());
        let collation = if is_known { collation } else { "BINARY".to_owned() };
        Ok(Part { column: quoted(&column), collation: Some(collation) })
    })?;
    Ok(parts.collect::<rusqlite::Result<_>>()?)
}
