//! The differences between two states: their schemas, and the rows of each table.
//!
//! Rows are paired by primary key if the table is WITHOUT ROWID, else by rowid, and streamed in
//! that order: memory does not grow with the database. If both states have the same layout, their
//! trees are walked leaf by leaf and equal leaves are skipped (`rows/diff/trees.rs`); otherwise the
//! rows are read through SQL (`rows/diff/rows.rs`). Computed columns and SQLite's own statistics
//! are not compared. A table that could not be compared is reported, and the result is then never "no
//! differences".

pub(crate) mod dumps;
mod leaves;
pub(crate) mod migrated_tables;
mod pages;
mod record;
mod rows;
mod same_pages;
pub(crate) mod script;
mod side;
mod source;
pub(crate) mod states;
pub(crate) mod table_pair;
mod trees;

use std::path::Path;

use rusqlite::Connection;
use serde::Serialize;

use crate::console::interrupt::Interrupt;
use crate::console::text;
use crate::sqlite::schema::change::Change;
use crate::sqlite::value::Value;

/// One of two states, in the read transaction of its connection.
#[derive(Clone, Copy)]
pub(crate) struct State<'c> {
    connection: &'c Connection,
    /// The file, if nothing writes to it: a finished one, opened as immutable. Reading it has to be
    /// ended by us; SQLite's statements are, if the connection is watched.
    file: Option<(&'c Path, &'c Interrupt)>,
}

impl<'c> State<'c> {
    /// The state that a connection sees.
    #[must_use]
    pub(crate) fn of(connection: &'c Connection) -> Self {
        Self { connection, file: None }
    }

    /// The state of a finished file, which is also read directly: that takes half the time.
    #[must_use]
    pub(crate) fn of_file(
        connection: &'c Connection,
        file: &'c Path,
        interrupt: &'c Interrupt,
    ) -> Self {
        Self { connection, file: Some((file, interrupt)) }
    }
}

/// Options of a comparison.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Only these tables; all if it is empty.
    pub tables: Vec<String>,
    /// How much.
    pub depth: Depth,
}

/// How much of two states is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Depth {
    /// Their schemas.
    Schema,
    /// The rows too, which are counted.
    #[default]
    Counts,
    /// And handed over with their values.
    Values,
    /// Likewise; but if a table has a new definition, every row of the second state is passed on as
    /// an added one, for a script that creates the table again.
    Rewrite,
}

/// The differences between two states.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// Changes of the schema.
    pub schema: Vec<Change>,
    /// Tables that differ or could not be compared, by name.
    pub tables: Vec<TableDifference>,
}

/// The differences in the rows of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct TableDifference {
    /// The table.
    pub table: String,
    /// Rows that only the second state has.
    pub added: u64,
    /// Rows that only the first state has.
    pub removed: u64,
    /// Rows of both whose values differ.
    pub changed: u64,
    /// Further remarks: only some columns compared, an index with different content.
    pub notes: Vec<String>,
    /// Whether something other than its rows differs: the data that a virtual table keeps about
    /// them.
    pub otherwise: bool,
    /// The reason why it could not be compared, if there is one.
    pub unread: Option<String>,
}

/// One row that differs.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    /// Its table.
    pub table: &'a str,
    /// The names of its key's columns.
    pub key_columns: &'a [String],
    /// The key's values.
    pub key: &'a [Value],
    /// The names of its columns; empty where SQL cannot reach them through the table.
    pub columns: &'a [String],
    /// Their values in the first state.
    pub before: Option<&'a [Value]>,
    /// Their values in the second state.
    pub after: Option<&'a [Value]>,
}

impl Difference {
    /// Whether nothing differs and everything could be compared.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.schema.is_empty() && self.tables.is_empty()
    }

    /// Whether everything could be compared.
    #[must_use]
    pub(crate) fn is_complete(&self) -> bool {
        self.tables.iter().all(|table| table.unread.is_none())
    }

    /// Whether anything is known to differ.
    #[must_use]
    pub(crate) fn is_different(&self) -> bool {
        !self.schema.is_empty() || self.tables.iter().any(TableDifference::is_different)
    }

    /// One line each: the schema's changes, then the tables.
    #[must_use]
    pub(crate) fn summary_lines(&self) -> Vec<String> {
        let changes = self.schema.iter().map(ToString::to_string);
        changes.chain(self.tables.iter().map(TableDifference::summary)).collect()
    }
}

impl TableDifference {
    /// Whether anything is known to differ.
    #[must_use]
    pub(crate) fn is_different(&self) -> bool {
        self.otherwise || self.added + self.removed + self.changed > 0
    }

    /// `messages: 3 rows added, 1 changed`.
    #[must_use]
    pub(crate) fn summary(&self) -> String {
        let counts = [(self.added, "added"), (self.removed, "removed"), (self.changed, "changed")];
        let mut parts: Vec<String> = Vec::new();
        for (n, verb) in counts.into_iter().filter(|(n, _)| *n > 0) {
            let n = if parts.is_empty() { text::count(n, "row") } else { text::digits(n) };
            parts.push(format!("{n} {verb}"));
        }
        parts.extend(self.unread.as_ref().map(|why| format!("not compared: {why}")));
        let mut line = format!("{}: {}", self.table, parts.join(", "));
        for (at, note) in self.notes.iter().enumerate() {
            line.push_str(if at == 0 && parts.is_empty() { "" } else { "; " });
            line.push_str(note);
        }
        line
    }
}

#[cfg(test)]
mod tests;
