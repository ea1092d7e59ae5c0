//! The source from which the rows of a table are read: the table or tree, the key, the columns.
//!
//! A virtual table's rows are read where its module stores them: those of a full-text index in its
//! shadow table of contents, or in its list of documents if it has no contents.

use anyhow::{Context, Result, bail};
use rusqlite::{Connection, Statement};

use crate::rows::export::virtual_tables;
use crate::sqlite::connection::quoted;
use crate::sqlite::schema::{self, COUNTERS, Nature, Storage, Table};
use crate::sqlite::utf16::{Raw, Utf16};

/// How to read the rows of one table in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// The table to select from.
    pub from: String,
    /// The tree that contains it, if it is one of rowids.
    pub root_page: Option<u32>,
    /// The columns that identify a row, in order.
    pub key: Vec<Key>,
    /// The columns as the source has them.
    pub columns: Vec<String>,
    /// The same as the user knows them; empty where SQL cannot reach them through the table itself.
    pub shown: Vec<String>,
    /// Which of the two bytes of a character comes first, if the state is in UTF-16.
    pub utf16: Option<Utf16>,
}

/// Some columns of a source.
pub(super) struct Columns {
    /// Names in the source.
    pub names: Vec<String>,
    /// Names for the user.
    pub shown: Vec<String>,
}

/// A statement that reads rows of one state.
pub(super) struct Select<'c> {
    /// The state's connection.
    pub connection: &'c Connection,
    /// The statement.
    pub sql: String,
    /// How to read the bytes of its texts.
    pub raw: Option<Raw>,
}

/// One part of the key of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// The column as the source has it; empty where every name of a rowid is taken by a column.
    pub column: String,
    /// Name for the user.
    pub shown: String,
    /// How its texts are ordered.
    pub collation: String,
    /// Whether the largest comes first.
    pub descending: bool,
}

impl<'c> Select<'c> {
    /// Compiles it.
    ///
    /// # Errors
    ///
    /// If SQLite does not understand it.
    pub(super) fn prepare(&self) -> Result<Statement<'c>> {
        Ok(self.connection.prepare(&self.sql)?)
    }
}

impl Source {
    /// The source of a table's rows; `None` if it stores none.
    ///
    /// # Errors
    ///
    /// If that is unknown, because the module is.
    pub(super) fn of(connection: &Connection, table: &Table) -> Result<Option<Self>> {
        let source = match &table.storage {
            Storage::Rowid if table.name == COUNTERS => Some(Self::of_counters()),
            Storage::Rowid => Some(Self::of_rowids(table)),
            Storage::WithoutRowid => Some(Self::of_key(connection, table)?),
            Storage::Virtual(module) => Self::of_module(table, module)?,
        };
        let utf16 = Utf16::of(connection)?;
        Ok(source.map(|source| Self { utf16, ..source }))
    }

    fn of_rowids(table: &Table) -> Self {
        let name = table.rowid_name().unwrap_or_default();
        let columns = ordinary(table);
        Self {
            from: table.name.clone(),
            root_page: Some(table.root_page),
            key: vec![Key::rowid(&name, &name)],
            shown: columns.clone(),
            columns,
            utf16: None,
        }
    }

    /// The source of the counters, one for each table; the rowid means nothing.
    fn of_counters() -> Self {
        let columns = vec!["name".to_owned(), "seq".to_owned()];
        let (column, shown) = ("name".to_owned(), "name".to_owned());
        let key = Key { column, shown, collation: "BINARY".to_owned(), descending: false };
        let (from, shown) = (COUNTERS.to_owned(), columns.clone());
        Self { from, root_page: None, key: vec![key], columns, shown, utf16: None }
    }

    fn of_key(connection: &Connection, table: &Table) -> Result<Self> {
        let mut statement = connection.prepare(
            "SELECT name, coll, \"desc\" FROM pragma_index_xinfo(
                 (SELECT name FROM pragma_index_list(?1) WHERE origin = 'pk')) WHERE key",
        )?;
        let key = statement.query_map([&table.name], |row| {
            let column: String = row.get(0)?;
            let shown = column.clone();
            Ok(Key { column, shown, collation: row.get(1)?, descending: row.get(2)? })
        })?;
        let key: Vec<Key> = key.collect::<Result<_, _>>()?;
        anyhow::ensure!(!key.is_empty(), "it has no primary key");
        let columns = ordinary(table);
        let (from, shown) = (table.name.clone(), columns.clone());
        Ok(Self { from, root_page: None, key, columns, shown, utf16: None })
    }

    fn of_module(table: &Table, module: &str) -> Result<Option<Self>> {
        if schema::MODULES_WITHOUT_CONTENT.contains(&module) {
            return Ok(None);
        }
        if table.columns.is_empty() {
            bail!("its module `{module}` is unknown here");
        }
        match module {
            "fts3" | "fts4" | "fts5" => Ok(Self::of_documents(table)),
            "rtree" | "rtree_i32" => Self::of_boxes(table).map(Some),
            _ => bail!("the data of its module `{module}` is unknown here"),
        }
    }

    fn of_documents(table: &Table) -> Option<Self> {
        let shadow = |suffix: &str| {
            let name = format!("{}_{suffix}", table.name);
            table.shadows.iter().find(|shadow| shadow.name.eq_ignore_ascii_case(&name))
        };
        let kept = shadow("content").or_else(|| shadow("docsize"))?;
        let mut source = Self::of_rowids(kept);
        "rowid".clone_into(&mut source.key[0].shown);
        // It has the rowid by another name.
        source.columns.retain(|column| *column != source.key[0].column);
        let mut shown = ordinary(table);
        shown.extend(virtual_tables::language(table));
        let has_content = shadow("content").is_some() && shown.len() == source.columns.len();
        source.shown = if has_content { shown } else { Vec::new() };
        Some(source)
    }

    fn of_boxes(table: &Table) -> Result<Self> {
        let columns = ordinary(table);
        let id = columns.first().context("it has no columns")?;
        let key = vec![Key::rowid(id, id)];
        let (from, shown) = (table.name.clone(), columns.clone());
        Ok(Self { from, root_page: None, key, columns, shown, utf16: None })
    }

    /// The columns that an older source has too, then its own; and the older one's in the same
    /// order, then its own.
    pub(super) fn shared_first(&self, older: &Self) -> (Columns, Columns) {
        let mine = self.ordered(|column| !older.has(column));
        let theirs = older.ordered(|column| {
            mine.names
                .iter()
                .position(|mine| mine.eq_ignore_ascii_case(column))
                .unwrap_or(usize::MAX)
        });
        (theirs, mine)
    }

    fn ordered<K: Ord>(&self, rank: impl Fn(&str) -> K) -> Columns {
        let mut order: Vec<usize> = (0..self.columns.len()).collect();
        order.sort_by_key(|at| rank(&self.columns[*at]));
        let named =
            |names: &[String]| order.iter().filter_map(|at| names.get(*at).cloned()).collect();
        Columns { names: named(&self.columns), shown: named(&self.shown) }
    }

    /// How many columns another source also has.
    pub(super) fn n_shared_with(&self, other: &Self) -> usize {
        self.columns.iter().filter(|column| other.has(column)).count()
    }

    fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|mine| mine.eq_ignore_ascii_case(column))
    }

    /// The names of the key's columns, as the user knows them.
    pub(super) fn key_columns(&self) -> Vec<String> {
        self.key.iter().map(|key| key.shown.clone()).collect()
    }

    /// The statement that reads the key and then some columns, in the order of the key.
    pub(super) fn select<'c>(
        &self,
        connection: &'c Connection,
        columns: &[String],
    ) -> Result<Select<'c>> {
        let mut list = Vec::new();
        let mut order = Vec::new();
        for key in &self.key {
            anyhow::ensure!(!key.column.is_empty(), "its columns use every name of the rowid");
            let column = quoted(&key.column);
            let descending = if key.descending { " DESC" } else { "" };
            order.push(match key.collation.as_str() {
                // The order of the tree itself, which needs no sorting.
                "" => column.clone(),
                collation => format!("{column} COLLATE {}{descending}", quoted(collation)),
            });
            list.push(column);
        }
        list.extend(columns.iter().map(|column| quoted(column)));
        let order = order.join(", ");
        let rest = format!("FROM main.{} ORDER BY {order}", quoted(&self.from));
        Ok(self.reading(connection, list, &rest))
    }

    /// The statement that reads some columns of the row of one rowid.
    pub(super) fn select_one<'c>(
        &self,
        connection: &'c Connection,
        columns: &[String],
    ) -> Result<Select<'c>> {
        let key = self.key.first().filter(|key| !key.column.is_empty());
        let key = quoted(&key.context("its columns use every name of the rowid")?.column);
        let mut list: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        if list.is_empty() {
            list.push(key.clone());
        }
        let rest = format!("FROM main.{} WHERE {key} = ?1", quoted(&self.from));
        Ok(self.reading(connection, list, &rest))
    }

    /// A statement that reads a list of columns, and for texts in UTF-16 also their bytes.
    fn reading<'c>(
        &self,
        connection: &'c Connection,
        mut list: Vec<String>,
        rest: &str,
    ) -> Select<'c> {
        let raw = self.utf16.map(|utf16| Raw { from: list.len(), utf16 });
        if raw.is_some() {
            let raw =
                |column| format!("iif(typeof({column})='text', CAST({column} AS BLOB), NULL)");
            list.extend(list.iter().map(raw).collect::<Vec<_>>());
        }
        Select { connection, sql: format!("SELECT {} {rest}", list.join(", ")), raw }
    }
}

impl Key {
    fn rowid(column: &str, shown: &str) -> Self {
        let (column, shown) = (column.to_owned(), shown.to_owned());
        Self { column, shown, collation: String::new(), descending: false }
    }
}

/// The columns whose values are given, not computed.
fn ordinary(table: &Table) -> Vec<String> {
    let columns = table.columns.iter().filter(|column| column.nature == Nature::Ordinary);
    columns.map(|column| column.name.clone()).collect()
}
