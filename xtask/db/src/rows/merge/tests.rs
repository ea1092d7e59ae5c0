//! Merges of small databases: whatever is merged, in whatever order, the content is the same when
//! numbers are replaced by what they mean.

mod canonical;
mod cases;
mod circles;
mod doubtful;
mod endstate;
mod exchange;
mod nulls;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::console::interrupt::Interrupt;
use crate::host::project::{Database, Location};
use crate::rows::import::cost_limits::Bounds;
use crate::rows::merge::request::{Numbering, OnConflict, Policy};

/// Databases in a folder.
struct Place {
    folder: TempDir,
    said: Database,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("folder"), said: Database::new("here", "") }
    }

    /// With the columns that identify the rows of a table.
    fn keyed(mut self, table: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        self.said.merge_key.insert(table.to_owned(), columns);
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A database made of statements.
    fn make(&self, name: &str, statements: &str) -> Connection {
        let connection = self.open(name);
        connection.execute_batch("PRAGMA synchronous=OFF").expect("quick");
        connection.execute_batch(statements).expect(statements);
        connection
    }

    /// A database, created if it is missing.
    fn open(&self, name: &str) -> Connection {
        connection::open_or_create(&self.path(name), Duration::from_secs(1)).expect("a database")
    }

    fn copy(&self, from: &str, to: &str) {
        fs_err::copy(self.path(from), self.path(to)).expect("copied");
    }

    fn merge_with(&self, into: &str, from: &[&str], policy: &Policy) -> Result<Report> {
        let interrupt = Interrupt::default();
        let database = Database { location: Location::File(self.path(into)), ..self.said.clone() };
        let bounds = Bounds::lifted(&interrupt, crate::console::progress::Pulse::none());
        let target = Target {
            database: &database,
            busy_timeout: Duration::from_secs(1),
            policy,
            interrupt: &interrupt,
            bounds: &bounds,
        };
        let sources = from.iter().map(|name| Source {
            scratch: self.path(name),
            absent: BTreeSet::new(),
            shown: (*name).to_owned(),
            numbering: Numbering::File,
            is_own: false,
        });
        merge(&target, &sources.collect::<Vec<_>>(), Ending::Commit, &mut || Ok(()))
    }

    fn merge(&self, into: &str, from: &[&str]) -> Report {
        self.merge_with(into, from, &policy(OnConflict::Fail)).expect("merged")
    }

    /// The reason for which a merge was refused.
    fn refused(&self, into: &str, from: &[&str]) -> String {
        let report = self.merge(into, from);
        let first = report.problems.first().unwrap_or_else(|| panic!("not refused: {report:#?}"));
        format!("{}: {}", first.table, first.what)
    }

    /// All values of a question, row by row.
    fn rows(&self, name: &str, question: &str) -> Vec<String> {
        let connection = self.open(name);
        let mut statement = connection.prepare(question).expect(question);
        let n_columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values =
                (0..n_columns).map(|at| Ok(format!("{:?}", row.get_ref(at)?.to_owned_value())));
            Ok(values.collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
        });
        rows.expect("rows").collect::<rusqlite::Result<_>>().expect("values")
    }
}

/// A value apart from its row.
trait Owned {
    fn to_owned_value(&self) -> rusqlite::types::Value;
}

impl Owned for rusqlite::types::ValueRef<'_> {
    fn to_owned_value(&self) -> rusqlite::types::Value {
        (*self).try_into().expect("a value")
    }
}

fn policy(on_conflict: OnConflict) -> Policy {
    Policy { on_conflict, newer: None, strict: false }
}
