//! One state of a database, as a migration is judged by it: its schema, the rows of each table,
//! orphans, findings, hashes.
//!
//! It is read from a finished file to which nobody writes. A live database is copied first, because a
//! thorough look at it in place would hold its writers up.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::Connection;

use crate::backups::record::Record;
use crate::console::interrupt::Interrupt;
use crate::console::threads;
use crate::migrate::verdict::applied_migrations::Applied;
use crate::sqlite::connection;
use crate::sqlite::examination::finding::{Depth, Finding, Weight, has};
use crate::sqlite::examination::{self, Examination};
use crate::sqlite::foreign_keys::{self, Orphans};
use crate::sqlite::schema::Schema;
use crate::sqlite::snapshot::copy;

/// One state of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Its parts.
    pub schema: Schema,
    /// BLAKE3 of the schema's statements.
    pub schema_blake3: String,
    /// `PRAGMA user_version`.
    pub user_version: i64,
    /// BLAKE3 of all content.
    pub content_blake3: String,
    /// Whether its journal is a WAL: it stays so, and is not part of the content.
    pub is_wal: bool,
    /// Rows per table; `None` if a table could not be counted.
    pub tables: BTreeMap<String, Option<u64>>,
    /// Rows whose parent is missing.
    pub orphans: Orphans,
    /// The migrations that it has seen.
    pub applied: Applied,
    /// The foreign keys that could not be checked, in SQLite's words.
    pub unchecked: Vec<String>,
    /// Findings about the file.
    pub findings: Vec<Finding>,
}

/// A finished file, and the state that was read from it.
pub(crate) struct FileState<'s> {
    /// The file.
    pub path: &'s Path,
    /// Its state.
    pub state: &'s State,
}

impl State {
    /// Reads a finished file that nothing writes, thoroughly.
    ///
    /// # Errors
    ///
    /// If it cannot be opened or its schema not be read, or at the user's interrupt; other damage is
    /// a finding.
    pub(crate) fn read(path: &Path, interrupt: &Interrupt) -> Result<Self> {
        let (hashed, examined) = threads::both(
            || copy::hash_file(path, interrupt),
            || examination::examine(path, Depth::Deep, interrupt),
        );
        let (examination, content_blake3) = (examined?, hashed?.0.content_blake3);
        let Examination { findings, tables, schema_blake3, .. } = examination;
        let proved = Self { schema_blake3, content_blake3, tables, findings, ..Self::default() };
        proved.with_schema(path, interrupt)
    }

    /// Reads from a backup's file the data that its record does not contain.
    ///
    /// # Errors
    ///
    /// As [`State::read`].
    pub(crate) fn recorded(path: &Path, record: &Record, interrupt: &Interrupt) -> Result<Self> {
        let proved = Self {
            schema_blake3: record.schema_blake3.clone(),
            content_blake3: record.content_blake3.clone(),
            is_wal: record.journal_mode() == "wal",
            tables: record.tables.clone(),
            findings: record.examined.findings.clone(),
            ..Self::default()
        };
        proved.with_schema(path, interrupt)
    }

    fn with_schema(self, path: &Path, interrupt: &Interrupt) -> Result<Self> {
        let connection = connection::open_immutable(path)?;
        let _watched = interrupt.watch(&connection);
        let schema = Schema::read(&connection).context("could not read the schema")?;
        let user_version = connection::pragma(&connection, "user_version")?;
        let (orphans, unchecked) = self.foreign_keys(&connection)?;
        let applied = Applied::read(&connection)?;
        let state = Self { schema, user_version, orphans, applied, unchecked, ..self };
        interrupt.check()?;
        Ok(state)
    }

    /// Orphans, and the tables that could not be checked. A damaged file is not checked, because it
    /// is refused anyway.
    fn foreign_keys(&self, connection: &Connection) -> Result<(Orphans, Vec<String>)> {
        if has(&self.findings, Weight::Structural) {
            return Ok((Orphans::new(), Vec::new()));
        }
        foreign_keys::count(connection)
    }

    /// Whether both have the same schema: its statements, and `user_version`.
    #[must_use]
    pub(crate) fn has_schema_of(&self, other: &Self) -> bool {
        self.schema_blake3 == other.schema_blake3 && self.user_version == other.user_version
    }

    /// Whether both have the same content and the same kind of journal.
    #[must_use]
    pub(crate) fn is_equal(&self, other: &Self) -> bool {
        self.content_blake3 == other.content_blake3 && self.is_wal == other.is_wal
    }

    /// Whether there is a table of that name, in any case.
    #[must_use]
    pub(crate) fn has_table(&self, table: &str) -> bool {
        self.tables.contains_key(table)
            || self.tables.keys().any(|name| name.eq_ignore_ascii_case(table))
    }

    /// The rows of a table, in any case; `None` if it is not there or could not be counted.
    #[must_use]
    pub(crate) fn n_rows(&self, table: &str) -> Option<u64> {
        let in_any_case = || {
            let found = self.tables.iter().find(|(name, _)| name.eq_ignore_ascii_case(table));
            found.map(|(_, n_rows)| n_rows)
        };
        *self.tables.get(table).or_else(in_any_case)?
    }
}
