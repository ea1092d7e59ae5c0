//! What an export contains: which tables, in which order, with which of their columns, and what is
//! created after the rows.
//!
//! Tables come parents first, then those of modules, then AUTOINCREMENT's counters. A virtual table
//! is exported by its rows and never by its shadow tables. A table that cannot be exported is refused or
//! reported, never skipped silently.

mod remarks;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use rusqlite::Connection;
use xtask_db_format::{Definition, Header, Rows, TableHead};

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::export::order::parents_first;
use crate::rows::export::source::{Reading, Source};
use crate::rows::export::subset::condition::Root;
use crate::rows::export::subset::{Chosen, Subset};
use crate::rows::export::virtual_tables;
use crate::sqlite::connection;
use crate::sqlite::declared_references::Followed;
use crate::sqlite::schema::{COUNTERS, Entry, Nature, Schema, Storage, Table};
use crate::sqlite::utf16::Utf16;

/// The part of a database to export.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Only these tables; all if it is empty.
    pub tables: Vec<String>,
    /// Only these rows, the rows that refer to them, and those that they need.
    pub root: Option<Root>,
    /// References without a foreign key, which are followed too.
    pub references: Followed,
    /// Groups of tables that the configuration knows, for suggestions if one is mistyped.
    pub groups: Vec<String>,
    /// Tables whose rows are left out.
    pub without: Vec<String>,
    /// Whether rowids are kept that are not a column.
    pub rowids: bool,
}

/// The rows to write.
pub(crate) struct Selection {
    /// Header of the export.
    pub header: Header,
    /// For each table of the header, the source of its rows; `None` if the export does not contain
    /// them.
    pub(super) sources: Vec<Option<Source>>,
    /// For each table of the header, how many rows there are, if only some of them are exported.
    pub n_all: Vec<Option<u64>>,
    /// Remarks for the user.
    pub remarks: Vec<String>,
}

/// State while the selection is put together.
struct Selecting<'p> {
    connection: &'p Connection,
    schema: &'p Schema,
    wanted: &'p Wanted,
    subset: Option<Subset>,
    remarks: Vec<String>,
}

impl Selection {
    /// Selects from the state that a connection sees, in one read transaction.
    ///
    /// # Errors
    ///
    /// If the schema cannot be read; a refusal if a table is not there, or what its module keeps is
    /// unknown here, or nothing is chosen.
    pub(crate) fn of(
        connection: &Connection,
        wanted: &Wanted,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let schema = Schema::read(connection).context("could not read the schema")?;
        let mut selecting =
            Selecting { connection, schema: &schema, wanted, subset: None, remarks: Vec::new() };
        selecting.refuse_unknown_names()?;
        selecting.gather(interrupt)?;
        let mut header = selecting.header()?;
        let (mut sources, mut n_all) = (Vec::new(), Vec::new());
        let reading = Reading { connection, utf16: Utf16::of(connection)? };
        for name in selecting.order()? {
            let table = &schema.tables[&name];
            let head = selecting.head(table)?;
            let member = selecting.subset.as_ref().and_then(|subset| subset.member(&name));
            let source = match head.rows {
                Rows::Here => Some(Source::of(&reading, table, &head, member)?),
                _ => None,
            };
            n_all.push(member.map(|member| member.n_all));
            header.tables.push(head);
            sources.push(source);
        }
        if let Some(head) = selecting.counters(&header)? {
            sources.push(Some(Source::of(&reading, &Table::counters(), &head, None)?));
            n_all.push(None);
            header.tables.push(head);
        }
        selecting.remark_on_missing_parents(&header)?;
        selecting.remark_on_odd_statements()?;
        Ok(Self { header, sources, n_all, remarks: selecting.remarks })
    }
}

impl Selecting<'_> {
    fn refuse_unknown_names(&self) -> Result<()> {
        let root = self.wanted.root.as_ref().map(|root| &root.table);
        let mut names = self.wanted.tables.iter().chain(&self.wanted.without).chain(root);
        let Some(unknown) = names.find(|name| self.schema.table(name).is_none()) else {
            return Ok(());
        };
        let listed = |names: &mut dyn Iterator<Item = &String>| {
            let names: Vec<String> = names.map(|name| format!("`{}`", text::plain(name))).collect();
            names.join(", ")
        };
        let names = || self.schema.tables.values().map(|table| &table.name);
        let mut hint = format!("there are {}", listed(&mut names()));
        let nearest = names().chain(&self.wanted.groups);
        let nearest = nearest.map(|name| (strsim::damerau_levenshtein(name, unknown), name)).min();
        // Of what is far from all of them, none was meant.
        if let Some((distance, nearest)) = nearest
            && distance * 3 <= unknown.chars().count()
        {
            hint = format!("did you mean `{}`? {hint}", text::plain(nearest));
        }
        if !self.wanted.groups.is_empty() {
            hint += "; groups: ";
            hint += &listed(&mut self.wanted.groups.iter());
        }
        Err(Refusal::could_not(format!("there is no table `{}`", text::plain(unknown)), hint))
    }

    /// The header: settings, and the objects to create after the rows. Views and triggers may be
    /// about any table, so only an export of all tables has them.
    fn header(&self) -> Result<Header> {
        let number = |name| connection::pragma::<i64>(self.connection, name);
        let encoding = connection::pragma(self.connection, "encoding")?;
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

    /// The tables to export by their names in lower case, ordinary ones first.
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
            key: table.primary_key(),
            sql: Some(table.sql.clone()),
            ..TableHead::default()
        };
        if let Storage::Virtual(_) = table.storage {
            virtual_tables::complete(self.connection, table, &mut head, is_left_out)?;
            self.remark_on_module(table, head.rows);
        } else if self.keeps_rowid(table) {
            head.rowid = table.free_rowid_name().map(str::to_owned);
        }
        if is_left_out && head.rows == Rows::Here {
            head.rows = Rows::LeftOut;
        }
        self.leave_out_what_hangs_on_nothing(table, &mut head)?;
        head.is_whole = head.rowid.is_none() && table.columns.len() == head.columns.len();
        Ok(head)
    }

    /// Whether rowids that are not a column are kept: if requested, or a trigger or a view speaks of
    /// them, because others may refer to them then.
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

    /// Gathers the rows of a subset, if one was requested.
    fn gather(&mut self, interrupt: &Interrupt) -> Result<()> {
        let Some(root) = &self.wanted.root else { return Ok(()) };
        let without = self.wanted.without.iter().map(|name| name.to_ascii_lowercase()).collect();
        let declared = self.wanted.references.within(self.schema)?;
        let chosen = Chosen { root, without: &without, declared: &declared.references };
        let mut subset = Subset::gather(self.connection, self.schema, &chosen, interrupt)?;
        self.remarks.append(&mut subset.remarks);
        self.subset = Some(subset);
        Ok(())
    }

    /// AUTOINCREMENT's counters, if an exported table is counted.
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

fn speaks_of_rowids(sql: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
    let lower = sql.to_ascii_lowercase();
    lower.split(|c| !is_of_name(c)).any(|word| ["rowid", "_rowid_", "oid"].contains(&word))
}
