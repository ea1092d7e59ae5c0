//! The statements before and after the rows in a script.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use rusqlite::Connection;
use xtask_db_format::ended;

use crate::rows::diff::Difference;
use crate::rows::diff::script::reach::{self, is_virtual};
use crate::rows::diff::script::statements::{comment, counters, gone, is_created};
use crate::sqlite::connection::quoted;
use crate::sqlite::full_text::external_content;
use crate::sqlite::schema::{COUNTERS, Schema, Storage, Table};
use crate::sqlite::value::Value;

/// Two states, as far as a script is about them.
pub(super) struct Frame {
    a: Schema,
    b: Schema,
    /// Only these tables, in lower case; all if it is empty.
    only: BTreeSet<String>,
    /// AUTOINCREMENT's counters in the second state, and the names of those in the first.
    counters: Vec<(String, Value)>,
    old_counters: Vec<String>,
    /// The settings of full-text indexes that are created, as statements.
    settings: BTreeMap<String, Vec<String>>,
}

impl Frame {
    /// Reads the schemas of two states.
    ///
    /// # Errors
    ///
    /// If they cannot be read; a refusal if no statements can create what is there.
    pub(super) fn of(a: &Connection, b: &Connection, only: &[String]) -> Result<Self> {
        let mut frame = Self {
            old_counters: counters(a)?.into_iter().map(|(name, _)| name).collect(),
            counters: counters(b)?,
            a: Schema::read(a)?,
            b: Schema::read(b)?,
            only: only.iter().map(|name| name.to_ascii_lowercase()).collect(),
            settings: BTreeMap::new(),
        };
        frame.examine(b)?;
        Ok(frame)
    }

    /// The tables of the first state, by their names in lower case.
    pub(super) fn old_tables(&self) -> impl Iterator<Item = (&String, &Table)> {
        self.a.tables.iter()
    }

    /// Whether a table exists in the second state.
    pub(super) fn keeps(&self, key: &str) -> bool {
        self.b.tables.contains_key(key)
    }

    /// Whether a table is a full-text index that can be rebuilt from another table's rows.
    pub(super) fn makes_anew(&self, key: &str) -> bool {
        let table = self.b.tables.get(key);
        table
            .and_then(|table| external_content(&table.sql))
            .is_some_and(|content| !content.is_empty())
    }

    /// Writes the statements that drop objects: triggers first, so that none fires.
    pub(super) fn open(&self, lines: &mut Vec<String>) {
        let (a, b) = (&self.a, &self.b);
        if a.settings.get("encoding") != b.settings.get("encoding") {
            lines.push("-- the encoding differs: no statement changes that".to_owned());
        }
        for trigger in a.triggers.values().filter(|trigger| self.wants(&trigger.table)) {
            lines.push(format!("DROP TRIGGER {};", quoted(&trigger.name)));
        }
        for view in gone(a.views.values(), &b.views).filter(|_| self.only.is_empty()) {
            lines.push(format!("DROP VIEW {};", quoted(&view.name)));
        }
        for index in gone(a.indexes.values(), &b.indexes).filter(|i| self.wants(&i.table)) {
            lines.push(format!("DROP INDEX {};", quoted(&index.name)));
        }
        // A virtual table goes before the tables that it shows, and comes after them.
        let (dropped, others): (Vec<_>, Vec<_>) =
            self.dropped().partition(|table| is_virtual(table));
        let dropped = dropped.iter().chain(&others);
        lines.extend(dropped.map(|table| format!("DROP TABLE {};", quoted(&table.name))));
        let (shown, created): (Vec<_>, Vec<_>) =
            self.created().partition(|table| is_virtual(table));
        lines.extend(created.iter().map(|table| ended(&table.sql)));
        if self.only.is_empty() {
            lines.extend(gone(b.views.values(), &a.views).map(|view| ended(&view.sql)));
        }
        for table in shown {
            lines.push(ended(&table.sql));
            lines.extend(self.settings.get(&table.name).into_iter().flatten().cloned());
        }
    }

    /// The tables of the first state that are not there in the second, or not in this way.
    fn dropped(&self) -> impl Iterator<Item = &Table> {
        let old = self.a.tables.iter().filter(|(key, _)| self.wants(key));
        let gone = old.filter(|(key, table)| {
            self.b.tables.get(*key).is_none_or(|now| table.is_defined_otherwise(now))
        });
        gone.map(|(_, table)| table)
    }

    /// The tables of the second state that the script creates.
    fn created(&self) -> impl Iterator<Item = &Table> {
        let new = self.b.tables.iter().filter(|(key, _)| self.wants(key));
        new.filter(|(key, table)| is_created(&self.a, key, table)).map(|(_, table)| table)
    }

    /// Refuses objects that no statements can create, and remembers the settings of a created
    /// index.
    fn examine(&mut self, b: &Connection) -> Result<()> {
        for table in self.dropped() {
            reach::refuse_unknown(table)?;
        }
        let mut settings = BTreeMap::new();
        for table in self.created() {
            reach::refuse_lossy(b, table)?;
            settings.insert(table.name.clone(), reach::settings(b, table)?);
        }
        self.settings = settings;
        Ok(())
    }

    /// Writes the statements that create objects.
    pub(super) fn close(&self, difference: &Difference, lines: &mut Vec<String>) {
        self.index(difference, lines);
        self.count(lines);
        self.create(lines);
        for setting in ["user_version", "application_id"] {
            let (before, after) = (self.a.settings.get(setting), self.b.settings.get(setting));
            if self.only.is_empty() && before != after {
                let value = after.map_or("0", String::as_str);
                lines.push(format!("PRAGMA {setting}={value};"));
            }
        }
    }

    /// Full-text indexes whose rows are those of another table are rebuilt from it.
    fn index(&self, difference: &Difference, lines: &mut Vec<String>) {
        for (key, table) in self.b.tables.iter().filter(|(key, _)| self.wants(key)) {
            let differs = difference.tables.iter().find(|one| one.table == table.name);
            let is_created = is_created(&self.a, key, table);
            let is_index =
                matches!(&table.storage, Storage::Virtual(module) if module.starts_with("fts"));
            if !is_index || (!is_created && differs.is_none()) {
                continue;
            }
            let name = quoted(&table.name);
            if self.makes_anew(key) {
                lines.push(format!("INSERT INTO {name}({name}) VALUES('rebuild');"));
            } else if differs.is_some_and(|one| one.otherwise) {
                lines.push(format!(
                    "-- {}: its rows are equal, its internal data is not",
                    comment(&table.name)
                ));
            }
        }
    }

    /// The counters as they are in the second state; the table of them comes with the first
    /// AUTOINCREMENT and never goes.
    fn count(&self, lines: &mut Vec<String>) {
        let mut tables = self.b.tables.values();
        let has_table = !self.old_counters.is_empty() || tables.any(Table::is_counted);
        let names: BTreeSet<&String> =
            self.counters.iter().map(|(name, _)| name).chain(&self.old_counters).collect();
        for name in names {
            if has_table && self.wants(name) {
                let name = Value::Text(name.clone().into_bytes()).literal();
                lines.push(format!("DELETE FROM {COUNTERS} WHERE name={name};"));
            }
        }
        for (name, value) in &self.counters {
            if has_table && self.wants(name) {
                let (name, value) =
                    (Value::Text(name.clone().into_bytes()).literal(), value.literal());
                lines.push(format!("INSERT INTO {COUNTERS} VALUES({name},{value});"));
            }
        }
    }

    fn create(&self, lines: &mut Vec<String>) {
        let (a, b) = (&self.a, &self.b);
        for index in b.indexes.values().filter(|index| self.wants(&index.table)) {
            let table = index.table.to_ascii_lowercase();
            let is_new = b.tables.get(&table).is_some_and(|now| is_created(a, &table, now));
            let before = a.indexes.get(&index.name.to_ascii_lowercase());
            if is_new || before.is_none_or(|before| before.is_defined_otherwise(index)) {
                lines.push(ended(&index.sql));
            }
        }
        let triggers = b.triggers.values().filter(|trigger| self.wants(&trigger.table));
        lines.extend(triggers.map(|trigger| ended(&trigger.sql)));
    }

    fn wants(&self, table: &str) -> bool {
        self.only.is_empty() || self.only.contains(&table.to_ascii_lowercase())
    }
}
