//! The schema of a database: tables (shadow tables are left out) and their columns, indexes, views,
//! triggers; and what changed in that between two states.
//!
//! Statements are compared by their words, so that spacing, comments and the quotes that
//! `ALTER TABLE … RENAME` adds are not a change. Shadow tables belong to their virtual table, and
//! SQLite's own `sqlite_*` tables and indexes are ignored: both are left out here.

pub(crate) mod change;
pub(crate) mod created_tables;
mod definition;
pub(crate) mod guards;
mod keywords;
mod rowid;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use xtask_db_format::Affinity;

use crate::sqlite::connection;

/// Table in which SQLite keeps the counters of AUTOINCREMENT.
pub(crate) const COUNTERS: &str = "sqlite_sequence";

/// The modules that store nothing of their own in the file.
pub(crate) const MODULES_WITHOUT_CONTENT: [&str; 7] =
    ["fts5vocab", "fts4aux", "fts3tokenize", "dbstat", "sqlite_dbpage", "bytecode", "tables_used"];

/// The schema of one state of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Schema {
    /// The tables, by their names in lower case: SQLite takes `Messages` and `messages` for one.
    pub tables: BTreeMap<String, Table>,
    /// Indexes that were created by statements, by name in lower case.
    pub indexes: BTreeMap<String, Entry>,
    /// Views, likewise.
    pub views: BTreeMap<String, Entry>,
    /// Triggers, likewise.
    pub triggers: BTreeMap<String, Entry>,
    /// What only another engine has, e.g. functions: a hash of the definition, by the word for its kind and its name.
    pub others: BTreeMap<(&'static str, String), String>,
    /// `user_version`, `application_id` and `encoding`.
    pub settings: BTreeMap<&'static str, String>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its name as it was created.
    pub name: String,
    /// The statement that creates it.
    pub sql: String,
    /// The first page of its tree; 0 for a virtual table.
    pub root_page: u32,
    /// How its rows are kept.
    pub storage: Storage,
    /// Its columns in their order, generated and hidden ones too; empty if the module of a virtual
    /// table is missing.
    pub columns: Vec<Column>,
    /// The statement beyond its columns: constraints, then options, e.g. `strict`.
    pub constraints: Vec<String>,
    /// The tables in which a virtual table keeps its content.
    pub shadows: Vec<Table>,
}

/// How the rows of a table are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Storage {
    /// In a tree by rowid.
    Rowid,
    /// In a tree by primary key.
    WithoutRowid,
    /// By a module, named in lower case.
    Virtual(String),
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name.
    pub name: String,
    /// The type as declared; empty if none was.
    pub declared_type: String,
    /// Whether it refuses NULL.
    pub not_null: bool,
    /// The default's expression.
    pub default: Option<String>,
    /// Its place in the primary key, from 1; 0 if it is not part of it.
    pub key_position: u32,
    /// Whether it is an ordinary column.
    pub nature: Nature,
    /// Its part of the statement by its words, the name left out.
    pub definition: String,
}

/// The nature of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Stored as they were given.
    Ordinary,
    /// A hidden column of a virtual table.
    Hidden,
    /// Computed when read.
    GeneratedVirtual,
    /// Computed when written.
    GeneratedStored,
}

impl Entry {
    /// Whether another state's statement differs from this one's in meaning.
    #[must_use]
    pub(crate) fn is_defined_otherwise(&self, other: &Self) -> bool {
        self.name != other.name || definition::normal(&self.sql) != definition::normal(&other.sql)
    }
}

/// An index, a view or a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name as it was created.
    pub name: String,
    /// The table it belongs to; a view's own name.
    pub table: String,
    /// The statement that creates it.
    pub sql: String,
}

impl Schema {
    /// Reads the schema of the state that a connection sees. A module that is missing is not a
    /// failure.
    ///
    /// # Errors
    ///
    /// If the schema cannot be read.
    pub(crate) fn read(connection: &Connection) -> Result<Self> {
        let mut schema = Self { settings: settings(connection)?, ..Self::default() };
        let kinds = kinds(connection)?;
        let mut shadows = Vec::new();
        let mut statement = connection.prepare(
            "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema
             WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND sql IS NOT NULL",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (kind, name) = (text(row, 0)?, text(row, 1)?);
            let key = name.to_ascii_lowercase();
            let entry = Entry { table: text(row, 2)?, sql: text(row, 4)?, name };
            match kind.as_str() {
                "index" => drop(schema.indexes.insert(key, entry)),
                "view" => drop(schema.views.insert(key, entry)),
                "trigger" => drop(schema.triggers.insert(key, entry)),
                _ => {
                    let root_page = row.get::<_, Option<u32>>(3)?.unwrap_or(0);
                    let kind = kinds.get(&key).map_or("table", String::as_str);
                    let table = table(connection, entry, root_page, kind)?;
                    if kind == "shadow" {
                        shadows.push(table);
                    } else {
                        schema.tables.insert(key, table);
                    }
                }
            }
        }
        schema.fold(shadows);
        Ok(schema)
    }

    /// The table of a name, in any case.
    #[must_use]
    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(&name.to_ascii_lowercase())
    }

    /// Gives each shadow table to its virtual table, whose name is before the last `_`
    /// (<https://sqlite.org/vtab.html>, section 2.16).
    fn fold(&mut self, shadows: Vec<Table>) {
        for shadow in shadows {
            let owner = shadow.name.rsplit_once('_').map(|(owner, _)| owner.to_ascii_lowercase());
            match owner.and_then(|owner| self.tables.get_mut(&owner)) {
                Some(owner) => owner.shadows.push(shadow),
                None => drop(self.tables.insert(shadow.name.to_ascii_lowercase(), shadow)),
            }
        }
        for table in self.tables.values_mut() {
            table.shadows.sort_by(|a, b| a.name.cmp(&b.name));
        }
    }
}

impl Table {
    /// SQLite's own table of AUTOINCREMENT's counters, which the schema leaves out.
    #[must_use]
    pub(crate) fn counters() -> Self {
        Self {
            name: COUNTERS.to_owned(),
            sql: String::new(),
            root_page: 0,
            storage: Storage::Rowid,
            columns: Vec::new(),
            constraints: Vec::new(),
            shadows: Vec::new(),
        }
    }

    /// Whether its rowids are counted on and never used again.
    #[must_use]
    pub(crate) fn is_counted(&self) -> bool {
        self.columns.iter().any(|column| column.definition.contains("autoincrement"))
    }

    /// Whether another state's statement differs from this one's in meaning.
    #[must_use]
    pub(crate) fn is_defined_otherwise(&self, other: &Self) -> bool {
        (&self.name, &self.storage, &self.columns, &self.constraints)
            != (&other.name, &other.storage, &other.columns, &other.constraints)
    }

    /// The columns of the primary key, in its order.
    #[must_use]
    pub(crate) fn primary_key(&self) -> Vec<String> {
        let mut key: Vec<_> = self.columns.iter().filter(|c| c.key_position > 0).collect();
        key.sort_by_key(|column| column.key_position);
        key.into_iter().map(|column| column.name.clone()).collect()
    }

    /// The affinity of one of its columns.
    #[must_use]
    pub(crate) fn affinity(&self, column: &Column) -> Affinity {
        let is_strict = self.constraints.iter().any(|option| option == "strict");
        Affinity::of(&column.declared_type, is_strict)
    }

    /// The column of a name, in any case.
    #[must_use]
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

fn settings(connection: &Connection) -> Result<BTreeMap<&'static str, String>> {
    let number = |name| connection::pragma::<i64>(connection, name).map(|n| n.to_string());
    Ok(BTreeMap::from([
        ("application_id", number("application_id")?),
        ("encoding", connection::pragma(connection, "encoding")?),
        ("user_version", number("user_version")?),
    ]))
}

/// `table`, `virtual` or `shadow`, by name in lower case. Without a virtual table all are tables, and
/// SQLite is not asked: for each view it would begin with the first table again.
fn kinds(connection: &Connection) -> Result<BTreeMap<String, String>> {
    let question =
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND rootpage = 0)";
    if !connection.query_row(question, [], |row| row.get::<_, bool>(0))? {
        return Ok(BTreeMap::new());
    }
    let question = "SELECT lower(name), type FROM pragma_table_list WHERE schema = 'main'";
    let mut statement = connection.prepare(question)?;
    let kinds = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(kinds.collect::<Result<_, _>>()?)
}

fn table(connection: &Connection, entry: Entry, root_page: u32, kind: &str) -> Result<Table> {
    let definition = definition::of(&entry.sql);
    let storage = match definition.module {
        Some(module) if kind == "virtual" => Storage::Virtual(module),
        _ if definition.options.iter().any(|option| option == "without rowid") => {
            Storage::WithoutRowid
        }
        _ => Storage::Rowid,
    };
    let mut columns = match (columns(connection, &entry.name), &storage) {
        (Ok(columns), _) => columns,
        // Without its module that is unknown.
        (Err(_), Storage::Virtual(_)) => Vec::new(),
        (Err(error), _) => return Err(error),
    };
    let mut constraints = definition.items;
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    if let Some(definitions) = definition::of_columns(&constraints, &names) {
        constraints.drain(..columns.len());
        for (column, definition) in columns.iter_mut().zip(definitions) {
            column.definition = definition;
        }
    }
    constraints.extend(definition.options);
    Ok(Table {
        name: entry.name,
        sql: entry.sql,
        root_page,
        storage,
        columns,
        constraints,
        shadows: Vec::new(),
    })
}

fn columns(connection: &Connection, table: &str) -> Result<Vec<Column>> {
    let mut statement = connection.prepare(
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1)",
    )?;
    let mut rows = statement.query([table])?;
    let mut columns = Vec::new();
    while let Some(row) = rows.next()? {
        columns.push(Column {
            name: text(row, 0)?,
            declared_type: text(row, 1)?,
            not_null: row.get(2)?,
            default: optional_text(row, 3)?,
            key_position: row.get(4)?,
            nature: match row.get::<_, i64>(5)? {
                1 => Nature::Hidden,
                2 => Nature::GeneratedVirtual,
                3 => Nature::GeneratedStored,
                _ => Nature::Ordinary,
            },
            definition: String::new(),
        });
    }
    Ok(columns)
}

fn text(row: &Row<'_>, column: usize) -> Result<String> {
    let text = optional_text(row, column)?;
    text.with_context(|| format!("the schema has a NULL in column {column}"))
}

/// Text as it is; a statement may contain bytes that are not UTF-8.
fn optional_text(row: &Row<'_>, column: usize) -> Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => None,
        value => Some(String::from_utf8_lossy(value.as_bytes()?).into_owned()),
    })
}

#[cfg(test)]
mod tests;
