//! The statements that turn the first state into the second, for the sqlite3 shell.
//!
//! It is one transaction. Triggers are dropped first and created last, so that none fires; foreign
//! keys are off, so that nothing cascades. A table with a different definition is created again. A
//! difference that no statement can make becomes a comment. Values are written without control
//! characters.

mod frame;
mod reach;
mod statements;

use std::collections::BTreeSet;

use anyhow::Result;

use crate::rows::diff::script::frame::Frame;
use crate::rows::diff::script::statements::{
    columns_and_values, comment, condition, has_unique, update,
};
use crate::rows::diff::{Difference, Row, State};
use crate::sqlite::connection::quoted;
use crate::sqlite::schema::COUNTERS;

/// A script that is being written.
pub(crate) struct Script {
    frame: Frame,
    /// Tables with unique values beside the key: their new rows wait until the old ones are
    /// removed, because two rows may exchange such a value.
    unique: BTreeSet<String>,
    /// The table whose new rows wait.
    waiting: Option<Waiting>,
    /// Tables whose rows no statement reaches, as far as that was reported.
    unreachable: BTreeSet<String>,
    begun: bool,
    lines: Vec<String>,
}

/// New rows of a table, kept in a temporary one.
struct Waiting {
    table: String,
    columns: String,
}

const TEMPORARY: &str = "temp.\"xtask rows\"";

impl Script {
    /// A script of two states, each in the read transaction of its connection.
    ///
    /// # Errors
    ///
    /// If a schema cannot be read; a refusal if no statements make what is in the second state.
    pub(crate) fn new(a: State<'_>, b: State<'_>, only: &[String]) -> Result<Self> {
        let (a, b) = (a.connection, b.connection);
        let frame = Frame::of(a, b, only)?;
        let mut unique = BTreeSet::new();
        for (key, table) in frame.old_tables() {
            if has_unique(a, table)? {
                unique.insert(key.clone());
            }
        }
        Ok(Self {
            frame,
            unique,
            waiting: None,
            unreachable: BTreeSet::new(),
            begun: false,
            lines: Vec::new(),
        })
    }

    /// The lines that were written since they were last taken.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// Writes one row that differs. Rows come table by table.
    pub(crate) fn row(&mut self, row: &Row<'_>) {
        self.begin();
        let key = row.table.to_ascii_lowercase();
        // Inserting moves the counters: they are written last. A dropped table has no rows.
        if row.table == COUNTERS || !self.frame.keeps(&key) {
            return;
        }
        if row.columns.is_empty() {
            if !self.frame.makes_anew(&key) && self.unreachable.insert(key) {
                let what = format!("-- {}: no statement can change its rows", comment(row.table));
                self.lines.push(what);
            }
            return;
        }
        if self.waiting.as_ref().is_some_and(|waiting| waiting.table != row.table) {
            self.let_in();
        }
        let waits = self.unique.contains(&key);
        if let Some(before) = row.before {
            if let Some(after) = row.after.filter(|_| !waits) {
                self.lines.push(update(row, before, after));
                return;
            }
            self.lines.push(format!("DELETE FROM {} WHERE {};", quoted(row.table), condition(row)));
        }
        if let Some(after) = row.after {
            let (columns, values) = columns_and_values(row, after);
            let into = if waits { TEMPORARY.to_owned() } else { quoted(row.table) };
            if waits && self.waiting.is_none() {
                self.lines.push(format!(
                    "CREATE TEMP TABLE \"xtask rows\" AS SELECT {columns} FROM main.{} WHERE 0;",
                    quoted(row.table)
                ));
                let (table, columns) = (row.table.to_owned(), columns.clone());
                self.waiting = Some(Waiting { table, columns });
            }
            self.lines.push(format!("INSERT INTO {into}({columns}) VALUES({values});"));
        }
    }

    /// Writes the part after the rows; nothing at all if nothing differs.
    pub(crate) fn finish(&mut self, difference: &Difference) {
        for table in difference.tables.iter().filter(|table| table.unread.is_some()) {
            let why = table.unread.as_deref().unwrap_or_default();
            self.lines.push(format!(
                "-- {}: not compared: {}",
                comment(&table.table),
                comment(why)
            ));
        }
        if !difference.is_different() {
            self.lines.push("-- no differences".to_owned());
            return;
        }
        self.begin();
        self.let_in();
        self.frame.close(difference, &mut self.lines);
        self.lines.push("COMMIT;".to_owned());
        self.lines.push("PRAGMA ignore_check_constraints=OFF;".to_owned());
    }

    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            // A row that violates a CHECK is a row anyway.
            let opening =
                ["PRAGMA foreign_keys=OFF;", "PRAGMA ignore_check_constraints=ON;", "BEGIN;"];
            self.lines.extend(opening.map(str::to_owned));
            self.frame.open(&mut self.lines);
        }
    }

    /// Lets the rows in that waited for the old ones to go.
    fn let_in(&mut self) {
        if let Some(Waiting { table, columns }) = self.waiting.take() {
            let name = quoted(&table);
            self.lines
                .push(format!("INSERT INTO {name}({columns}) SELECT {columns} FROM {TEMPORARY};"));
            self.lines.push(format!("DROP TABLE {TEMPORARY};"));
        }
    }
}
