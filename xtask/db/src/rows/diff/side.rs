//! One of two states to compare, and its tables.

use std::collections::BTreeSet;

use anyhow::Result;
use rusqlite::Connection;

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::diff::State;
use crate::rows::diff::pages::{Pages, Tree};
use crate::sqlite::schema::{COUNTERS, Schema, Table};

/// The tables to compare, in lower case and in order; SQLite's own counters among them.
///
/// # Errors
///
/// A refusal if neither state has one of them.
pub(super) fn wanted_tables(a: &Schema, b: &Schema, wanted: &[String]) -> Result<BTreeSet<String>> {
    let all: BTreeSet<String> = a.tables.keys().chain(b.tables.keys()).cloned().collect();
    if wanted.is_empty() {
        return Ok(all);
    }
    let wanted: BTreeSet<String> = wanted.iter().map(|name| name.to_ascii_lowercase()).collect();
    match wanted.iter().find(|name| !all.contains(*name)) {
        None => Ok(wanted),
        Some(missing) => {
            let names: Vec<String> = all.iter().map(|name| format!("`{name}`")).collect();
            Err(Refusal::could_not(
                format!("neither state has a table `{}`", text::plain(missing)),
                format!("there are {}", names.join(", ")),
            ))
        }
    }
}

/// One of the two states.
pub(super) struct Side<'c> {
    /// Its connection.
    pub connection: &'c Connection,
    /// Its schema.
    pub schema: Schema,
    /// Its pages; `None` if the build has no `sqlite_dbpage`.
    pub pages: Option<Pages<'c>>,
}

impl<'c> Side<'c> {
    /// Reads the schema of a state.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(super) fn of(state: State<'c>) -> Result<Self> {
        let schema = Schema::read(state.connection)?;
        Ok(Self { connection: state.connection, schema, pages: Pages::of(state)? })
    }

    /// The tree that begins at a page; `None` if the pages cannot be read.
    pub(super) fn tree(&mut self, root: u32) -> Option<Tree<'_, 'c>> {
        self.pages.as_mut().map(|pages| Tree { pages, root })
    }

    /// The counters of AUTOINCREMENT are content, not part of a schema.
    ///
    /// # Errors
    ///
    /// If the schema cannot be read.
    pub(super) fn add_counters(&mut self) -> Result<()> {
        let question = "SELECT count(*) FROM sqlite_schema WHERE name = ?1";
        let n: i64 = self.connection.query_row(question, [COUNTERS], |row| row.get(0))?;
        if n > 0 {
            self.schema.tables.insert(COUNTERS.to_owned(), Table::counters());
        }
        Ok(())
    }
}
