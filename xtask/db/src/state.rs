//! One state of a database, as a migration is judged by it: its schema, the rows of each table, rows
//! whose parents are missing, findings, hashes.
//!
//! It is read from a finished file that nothing writes: a live database is copied first, because a
//! thorough look at it in place would hold its writers up.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::Connection;

use crate::copy;
use crate::database;
use crate::examination;
use crate::finding::{Depth, Finding};
use crate::interrupt::Interrupt;
use crate::schema::Schema;

/// Rows whose parent is missing, by child and parent table.
pub(crate) type Orphans = BTreeMap<(String, String), u64>;

/// One state of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// What it is made of.
    pub schema: Schema,
    /// BLAKE3 of the schema's statements.
    pub schema_blake3: String,
    /// `PRAGMA user_version`.
    pub user_version: i64,
    /// BLAKE3 of all content.
    pub content_blake3: String,
    /// Rows per table; `None` where a table could not be counted.
    pub tables: BTreeMap<String, Option<u64>>,
    /// Rows whose parent is missing; `None` where that could not be checked.
    pub orphans: Option<Orphans>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

impl State {
    /// Reads a finished file that nothing writes.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened or its schema not be read, or at the user's interrupt; other damage
    /// is a finding.
    pub(crate) fn read(path: &Path, depth: Depth, interrupt: &Interrupt) -> Result<Self> {
        let examination = examination::examine(path, depth, interrupt)?;
        let content_blake3 = copy::hash_file(path, interrupt)?.0.content_blake3;
        let connection = database::open_immutable(path)?;
        let _watched = interrupt.watch(&connection);
        let state = Self {
            schema: Schema::read(&connection).context("could not read the schema")?,
            schema_blake3: examination.schema_blake3,
            user_version: database::pragma(&connection, "user_version")?,
            content_blake3,
            tables: examination.tables,
            // A parent without the key that its child refers to makes the check itself fail.
            orphans: orphans(&connection).ok(),
            findings: examination.findings,
        };
        interrupt.check()?;
        Ok(state)
    }

    /// Whether both have one schema: its statements, and `user_version`.
    #[must_use]
    pub(crate) fn has_schema_of(&self, other: &Self) -> bool {
        self.schema_blake3 == other.schema_blake3 && self.user_version == other.user_version
    }

    /// Whether there is a table of that name, in any case.
    #[must_use]
    pub(crate) fn has_table(&self, table: &str) -> bool {
        self.tables.keys().any(|name| name.eq_ignore_ascii_case(table))
    }

    /// The rows of a table, in any case; `None` where it is not there or could not be counted.
    #[must_use]
    pub(crate) fn n_rows(&self, table: &str) -> Option<u64> {
        self.tables.iter().find(|(name, _)| name.eq_ignore_ascii_case(table))?.1.to_owned()
    }
}

fn orphans(connection: &Connection) -> Result<Orphans> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    let mut orphans = Orphans::new();
    while let Some(row) = rows.next()? {
        *orphans.entry((row.get(0)?, row.get(2)?)).or_default() += 1;
    }
    Ok(orphans)
}
