//! What an export holds: which tables, in which order, which of their columns, and what is created
//! after the rows.
//!
//! Tables come parents first, then those of modules, then AUTOINCREMENT's counters. A virtual table
//! is exported by what it holds and never by its shadow tables. What cannot be exported is refused
//! or remarked upon, never passed over.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use rusqlite::Connection;
use xtask_db_format::{Definition, Header, Rows, TableHead};

use crate::database;
use crate::difference::utf16::Utf16;
use crate::portable::order::parents_first;
use crate::portable::source::Source;
use crate::portable::virtual_tables;
use crate::refusal::Refusal;
use crate::schema::{COUNTERS, Entry, Nature, Schema, Storage, Table};
use crate::text;

/// Which part of a database is wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Only these tables; all where it is empty.
    pub tables: Vec<String>,
    /// Groups of tables that the configuration knows, for whoever mistypes one.
    pub groups: Vec<String>,
    /// Tables whose rows are left out.
    pub without: Vec<String>,
    /// Whether rowids are kept that are no column.
    pub rowids: bool,
}

/// What is to be written.
pub(crate) struct Selection {
    /// What the export says of itself.
    pub header: Header,
    /// For each table of the header where its rows are read; `None` where they are not here.
    pub(super) sources: Vec<Option<Source>>,
    /// What the user should know.
    pub remarks: Vec<String>,
}

/// What is known while it is put together.
struct Selecting<'p> {
    connection: &'p Connection,
    schema: &'p Schema,
    wanted: &'p Wanted,
    remarks: Vec<String>,
}

impl Selection {
    /// Of the state that a connection sees, in one read transaction.
    ///
    /// # Errors
    ///
    /// Where the schema cannot be read; a refusal where a table is not there, or what its module keeps
    /// is unknown here.
    pub(crate) fn of(connection: &Connection, wanted: &Wanted) -> Result<Self> {
        let schema = Schema::read(connection).context("could not read the schema")?;
        let mut selecting = Selecting { connection, schema: &schema, wanted, remarks: Vec::new() };
        selecting.refuse_unknown_names()?;
        let mut header = selecting.header()?;
        let mut sources = Vec::new();
        let utf16 = Utf16::of(connection)?;
        for name in selecting.order()? {
            let table = &schema.tables[&name];
            let head = selecting.head(table)?;
            let source = match head.rows {
                Rows::Here => Some(Source::of(connection, table, &head, utf16)?),
                _ => None,
            };
            header.tables.push(head);
            sources.push(source);
        }
        if let Some(head) = selecting.counters(&header)? {
            sources.push(Some(Source::of(connection, &Table::counters(), &head, utf16)?));
            header.tables.push(head);
        }
        selecting.remark_on_missing_parents(&header)?;
        selecting.remark_on_odd_statements()?;
        Ok(Self { header, sources, remarks: selecting.remarks })
    }
}

impl Selecting<'_> {
    fn refuse_unknown_names(&self) -> Result<()> {
        let mut names = self.wanted.tables.iter().chain(&self.wanted.without);
        let Some(unknown) = names.find(|name| self.schema.table(name).is_none()) else {
            return Ok(());
        };
        let listed = |names: &mut dyn Iterator<Item = &String>| {
            let names: Vec<String> = names.map(|name| format!("`{}`", text::plain(name))).collect();
            names.join(", ")
        };
        let mut hint =
            format!("there are {}", listed(&mut self.schema.tables.values().map(|t| &t.name)));
        if !self.wanted.groups.is_empty() {
            hint += "; groups: ";
            hint += &listed(&mut self.wanted.groups.iter());
        }
        Err(Refusal::could_not(format!("there is no table `{}`", text::plain(unknown)), hint))
    }

    /// Settings, and what is created after the rows. Views and triggers may be about any table: they
    /// belong to an export of all.
    fn header(&self) -> Result<Header> {
        let number = |name| database::pragma::<i64>(self.connection, name);
        let encoding = database::pragma(self.connection, "encoding")?;
        let mut header =
            Header::of_settings(encoding, number("application_id")?, number("user_version")?);
        let defined = |entry: &Entry| Definition {
            name: entry.name.clone(),
            table: entry.table.clone(),
            sql: entry.sql.clone(),
        };
        let schema = self.schema;
        let indexes = schema.indexes.values().filter(|index| self.wants(&index.table));
        header.indexes = indexes.map(defined).collect();
        if self.wanted.tables.is_empty() {
            header.views = schema.views.values().map(defined).collect();
            header.triggers = schema.triggers.values().map(defined).collect();
        }
        Ok(header)
    }

    /// The wanted tables by their names in lower case, ordinary ones first.
    fn order(&self) -> Result<Vec<String>> {
        let mut parents = BTreeMap::new();
        let mut of_modules = Vec::new();
        for (name, table) in self.schema.tables.iter().filter(|(name, _)| self.wants(name)) {
            match table.storage {
                Storage::Virtual(_) => of_modules.push(name.clone()),
                _ => drop(parents.insert(name.clone(), self.parents(&table.name)?)),
            }
        }
        let mut order = parents_first(&parents);
        order.extend(of_modules);
        Ok(order)
    }

    /// The tables that a table's foreign keys refer to, in lower case.
    fn parents(&self, table: &str) -> Result<BTreeSet<String>> {
        let question = "SELECT \"table\" FROM pragma_foreign_key_list(?1)";
        let mut statement = self.connection.prepare(question)?;
        let parents = statement.query_map([table], |row| row.get::<_, String>(0))?;
        parents.map(|parent| Ok(parent?.to_ascii_lowercase())).collect()
    }

    fn head(&mut self, table: &Table) -> Result<TableHead> {
        let is_left_out = contains(&self.wanted.without, &table.name);
        let mut head = TableHead {
            name: table.name.clone(),
            columns: ordinary(table),
            key: key(table),
            sql: Some(table.sql.clone()),
            ..TableHead::default()
        };
        if let Storage::Virtual(module) = &table.storage {
            virtual_tables::complete(self.connection, (table, module), &mut head, is_left_out)?;
            self.remark_on_module(table, head.rows);
        } else if self.keeps_rowid(table) {
            head.rowid = table.free_rowid_name().map(str::to_owned);
        }
        if is_left_out && head.rows == Rows::Here {
            head.rows = Rows::LeftOut;
        }
        head.is_whole = head.rowid.is_none() && table.columns.len() == head.columns.len();
        Ok(head)
    }

    /// Whether rowids that are no column are kept: where that is wanted, or a trigger or a view speaks
    /// of them, because others may refer to them then.
    fn keeps_rowid(&self, table: &Table) -> bool {
        if table.storage != Storage::Rowid || table.rowid_column().is_some() {
            return false;
        }
        let triggers = self.schema.triggers.values();
        let mut triggers =
            triggers.filter(|trigger| trigger.table.eq_ignore_ascii_case(&table.name));
        self.wanted.rowids
            || triggers.any(|trigger| speaks_of_rowids(&trigger.sql))
            || self.schema.views.values().any(|view| {
                speaks_of_rowids(&view.sql)
                    && view.sql.to_ascii_lowercase().contains(&table.name.to_ascii_lowercase())
            })
    }

    fn remark_on_module(&mut self, table: &Table, rows: Rows) {
        let name = text::plain(&table.name);
        if rows == Rows::Unreadable {
            self.remarks.push(format!(
                "`{name}` keeps an index and no texts (content=''): the table is exported empty"
            ));
        }
        let content = virtual_tables::content(table).unwrap_or_default();
        if rows == Rows::Rebuilt && !self.wants(&content) {
            self.remarks.push(format!(
                "`{name}` is an index of `{}`, which is not exported",
                text::plain(&content)
            ));
        }
    }

    /// AUTOINCREMENT's counters, where an exported table is counted.
    fn counters(&self, header: &Header) -> Result<Option<TableHead>> {
        let question = "SELECT count(*) FROM sqlite_schema WHERE name = ?1";
        let n: i64 = self.connection.query_row(question, [COUNTERS], |row| row.get(0))?;
        let mut tables = header.tables.iter().filter(|head| head.rows == Rows::Here);
        let is_counted =
            tables.any(|head| self.schema.table(&head.name).is_some_and(Table::is_counted));
        Ok((n > 0 && is_counted).then(|| TableHead {
            name: COUNTERS.to_owned(),
            columns: vec!["name".to_owned(), "seq".to_owned()],
            key: vec!["name".to_owned()],
            is_whole: true,
            ..TableHead::default()
        }))
    }

    /// Rows whose parents are not here cannot be imported by themselves.
    fn remark_on_missing_parents(&mut self, header: &Header) -> Result<()> {
        let here: BTreeSet<String> = header
            .tables
            .iter()
            .filter(|table| table.rows == Rows::Here)
            .map(|table| table.name.to_ascii_lowercase())
            .collect();
        for child in &here {
            for parent in self.parents(child)?.difference(&here) {
                if self.schema.tables.contains_key(parent) {
                    self.remarks.push(format!(
                        "rows of `{}` may refer to rows of `{}`, which are not exported",
                        text::plain(child),
                        text::plain(parent)
                    ));
                }
            }
        }
        Ok(())
    }

    /// A statement may hold bytes that are no UTF-8, which JSON cannot have.
    fn remark_on_odd_statements(&mut self) -> Result<()> {
        let mut statement =
            self.connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (name, sql) = (row.get_ref(0)?.as_bytes()?, row.get_ref(1)?.as_bytes()?);
            if std::str::from_utf8(sql).is_err() {
                self.remarks.push(format!(
                    "the definition of `{}` holds bytes that are no UTF-8; U+FFFD stands in their \
                     place",
                    text::plain(&String::from_utf8_lossy(name))
                ));
            }
        }
        Ok(())
    }

    fn wants(&self, table: &str) -> bool {
        self.wanted.tables.is_empty() || contains(&self.wanted.tables, table)
    }
}

fn contains(names: &[String], name: &str) -> bool {
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// The columns whose values are given, not computed.
fn ordinary(table: &Table) -> Vec<String> {
    let columns = table.columns.iter().filter(|column| column.nature == Nature::Ordinary);
    columns.map(|column| column.name.clone()).collect()
}

/// The columns of the primary key in its order.
fn key(table: &Table) -> Vec<String> {
    let mut key: Vec<_> = table.columns.iter().filter(|column| column.key_position > 0).collect();
    key.sort_by_key(|column| column.key_position);
    key.into_iter().map(|column| column.name.clone()).collect()
}

fn speaks_of_rowids(sql: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
    let lower = sql.to_ascii_lowercase();
    lower.split(|c| !is_of_name(c)).any(|word| ["rowid", "_rowid_", "oid"].contains(&word))
}
