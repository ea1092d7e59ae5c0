//! Triggers and views that worked before and do not now: a rebuild can leave them with the name of
//! a table or column that is gone, and then every write fails. A foreign key that follows a renamed
//! table which is then dropped does the same.
//!
//! SQLite finds that when it prepares a statement. A view is read in place. A trigger is tried
//! alone, among copies of the tables without rows, so that the right one is named.

use anyhow::Result;
use rusqlite::Connection;

use crate::rows::diff::migrated_tables::Pairs;
use crate::rows::diff::table_pair::When;
use crate::sqlite::connection::{self, quoted};
use crate::sqlite::schema::change::Kind;
use crate::sqlite::schema::{Entry, Nature, Schema};
use crate::sqlite::trouble;

/// A trigger or a view that does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Kind of the object: a trigger, a view, or a table whose foreign key refers to a table that
    /// is gone.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The table whose writes fail because of it; of a view, its own name; of a table, the one that
    /// is gone.
    pub table: String,
    /// SQLite's words.
    pub why: String,
    /// Whether it came with the migration.
    pub is_new: bool,
}

/// The triggers and views that do not work, and did before or were not there.
///
/// # Errors
///
/// If there is no room for a temporary database.
pub(super) fn broken(pairs: &Pairs<'_>) -> Result<Vec<Broken>> {
    let mut broken = Vec::new();
    let (before, after) = (pairs.schema(When::Before), pairs.schema(When::After));
    for (key, view) in &after.views {
        let Some(why) = reading(pairs.connection(When::After), view) else { continue };
        let was_there = before.views.get(key);
        if was_there.is_none_or(|view| reading(pairs.connection(When::Before), view).is_none()) {
            broken.push(Broken::new(Kind::View, view, why, was_there.is_none()));
        }
    }
    broken.append(&mut dangling(pairs)?);
    if after.triggers.is_empty() {
        return Ok(broken);
    }
    let (old, new) = (Bench::of(before)?, Bench::of(after)?);
    for (key, trigger) in &after.triggers {
        let now = new.writing(trigger);
        let was_there = before.triggers.get(key);
        let was = was_there.map(|trigger| old.writing(trigger)).unwrap_or_default();
        let why = now.iter().enumerate().find_map(|(at, why)| {
            let worked = was.get(at).is_none_or(Option::is_none);
            why.clone().filter(|_| worked)
        });
        if let Some(why) = why {
            broken.push(Broken::new(Kind::Trigger, trigger, why, was_there.is_none()));
        }
    }
    Ok(broken)
}

/// Tables with a foreign key to a table that is not there, and that was.
fn dangling(pairs: &Pairs<'_>) -> Result<Vec<Broken>> {
    let (before, after) = (pairs.schema(When::Before), pairs.schema(When::After));
    let (old, new) = (pairs.connection(When::Before), pairs.connection(When::After));
    let mut broken = Vec::new();
    for (key, table) in &after.tables {
        let was_there =
            before.tables.get(key).map(|table| parents(old, &table.name)).transpose()?;
        let dangled = was_there.iter().flatten().any(|parent| before.table(parent).is_none());
        let gone = parents(new, &table.name)?.into_iter().find(|p| after.table(p).is_none());
        if let Some(parent) = gone.filter(|_| !dangled) {
            broken.push(Broken {
                kind: Kind::Table,
                name: table.name.clone(),
                table: parent,
                why: "no such table".to_owned(),
                is_new: was_there.is_none(),
            });
        }
    }
    Ok(broken)
}

/// The tables that the foreign keys of a table refer to.
fn parents(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let question = "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1)";
    let mut statement = connection.prepare(question)?;
    let parents = statement.query_map([table], |row| row.get(0))?;
    Ok(parents.collect::<rusqlite::Result<_>>()?)
}

impl Broken {
    fn new(kind: Kind, entry: &Entry, why: String, is_new: bool) -> Self {
        Self { kind, name: entry.name.clone(), table: entry.table.clone(), why, is_new }
    }
}

/// The reason why a view cannot be read; `None` if it can.
fn reading(connection: &Connection, view: &Entry) -> Option<String> {
    prepared(connection, &format!("SELECT * FROM main.{}", quoted(&view.name)))
}

fn prepared(connection: &Connection, statement: &str) -> Option<String> {
    connection.prepare(statement).err().map(|error| trouble::message(&error.into()))
}

/// The tables and views of one state, without a row and without triggers.
struct Bench<'s> {
    connection: Connection,
    schema: &'s Schema,
}

impl<'s> Bench<'s> {
    fn of(schema: &'s Schema) -> Result<Self> {
        let connection = connection::open_workbench()?;
        // One transaction: each statement by itself would be committed, as often as there are tables.
        connection.execute_batch("BEGIN")?;
        let tables = schema.tables.values().map(|table| &table.sql);
        for sql in tables.chain(schema.views.values().map(|view| &view.sql)) {
            // Objects that this build cannot create are missing in both states.
            let _ = connection.execute(sql, []);
        }
        if !connection.is_autocommit() {
            connection.execute_batch("COMMIT")?;
        }
        Ok(Self { connection, schema })
    }

    /// The reasons why rows of a trigger's table cannot be inserted, changed and deleted while this
    /// is the only trigger; empty if that cannot be tried.
    fn writing(&self, trigger: &Entry) -> Vec<Option<String>> {
        if self.connection.execute(&trigger.sql, []).is_err() {
            return Vec::new();
        }
        let table = quoted(&trigger.table);
        let sets: Vec<_> = self.columns(&trigger.table);
        let sets: Vec<_> = sets.iter().map(|column| format!("{column} = {column}")).collect();
        let statements = [
            format!("INSERT INTO main.{table} DEFAULT VALUES"),
            format!("UPDATE main.{table} SET {}", sets.join(", ")),
            format!("DELETE FROM main.{table}"),
        ];
        let why =
            statements.iter().map(|statement| prepared(&self.connection, statement)).collect();
        let drop = format!("DROP TRIGGER main.{}", quoted(&trigger.name));
        // One that stayed would only be named beside others.
        let _ = self.connection.execute(&drop, []);
        why
    }

    /// The columns that can be set, quoted.
    fn columns(&self, table: &str) -> Vec<String> {
        if let Some(table) = self.schema.table(table) {
            let ordinary = table.columns.iter().filter(|column| column.nature == Nature::Ordinary);
            return ordinary.map(|column| quoted(&column.name)).collect();
        }
        let view = format!("SELECT * FROM main.{}", quoted(table));
        let view = self.connection.prepare(&view);
        view.map(|view| view.column_names().into_iter().map(quoted).collect()).unwrap_or_default()
    }
}
