//! A foreign key, or a declared reference, and whether there is anything that it can lead to.

use anyhow::Result;
use rusqlite::Connection;

use crate::console::text;
use crate::rows::export::subset::member::Member;
use crate::sqlite::connection::quoted;
use crate::sqlite::declared_references::{self, Declared, Only};
use crate::sqlite::schema::{Schema, Storage, Table};

/// One foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// The table that refers, in lower case.
    pub child: String,
    /// The table referred to, in lower case.
    pub parent: String,
    /// The columns that refer.
    pub from: Vec<String>,
    /// The columns referred to; the parent's primary key if it is empty.
    pub to: Vec<String>,
    /// Whether it comes from the configuration only.
    is_declared: bool,
    /// The rows that it is about; all of them if there is no condition.
    pub only: Option<Only>,
}

impl From<Declared> for Reference {
    fn from(Declared { child, from, parent, to, only }: Declared) -> Self {
        Self { child, parent, from: vec![from], to: vec![to], is_declared: true, only }
    }
}

/// Why a reference leads to no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// There is no such row in the database.
    NoRow,
    /// There is no such table, or its rows cannot be referred to.
    NoTable,
    /// It does not have the columns of the reference.
    NoColumns,
    /// Its rows are left out.
    LeftOut,
}

impl Reference {
    /// All references of a table: its foreign keys, and the declared ones.
    pub(super) fn all_of(
        connection: &Connection,
        table: &Table,
        declared: &[Declared],
    ) -> Result<Vec<Self>> {
        let mut all = Self::foreign_keys(connection, table)?;
        for declared in declared.iter().filter(|d| d.child.eq_ignore_ascii_case(&table.name)) {
            let is_known = |known: &Self| {
                known.parent == declared.parent
                    && known.from.len() == 1
                    && known.from[0].eq_ignore_ascii_case(&declared.from)
            };
            if declared.only.is_some() || !all.iter().any(is_known) {
                all.push(declared.clone().into());
            }
        }
        Ok(all)
    }

    fn foreign_keys(connection: &Connection, table: &Table) -> Result<Vec<Self>> {
        let question = "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1)
                        ORDER BY id, seq";
        let mut statement = connection.prepare_cached(question)?;
        let mut rows = statement.query([&table.name])?;
        let mut all: Vec<(i64, Self)> = Vec::new();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            if all.last().is_none_or(|(last, _)| *last != id) {
                let parent = row.get::<_, String>(1)?.to_ascii_lowercase();
                let child = table.name.to_ascii_lowercase();
                let (from, to) = (Vec::new(), Vec::new());
                let foreign_key = Self { child, parent, from, to, is_declared: false, only: None };
                all.push((id, foreign_key));
            }
            let Some((_, reference)) = all.last_mut() else { continue };
            reference.from.push(row.get(2)?);
            reference.to.extend(row.get::<_, Option<String>>(3)?);
        }
        Ok(all.into_iter().map(|(_, reference)| reference).collect())
    }

    /// The reason why it cannot lead to rows, if there is one.
    pub(super) fn obstacle(&self, schema: &Schema) -> Option<Obstacle> {
        let parent = schema.tables.get(&self.parent);
        let Some(parent) = parent.filter(|p| !matches!(p.storage, Storage::Virtual(_))) else {
            return Some(Obstacle::NoTable);
        };
        let to = self.columns_of(parent);
        let are_there = to.iter().all(|name| parent.column(name).is_some());
        (to.len() != self.from.len() || !are_there).then_some(Obstacle::NoColumns)
    }

    /// The columns of the parent to which it refers.
    pub(super) fn columns_of(&self, parent: &Table) -> Vec<String> {
        if !self.to.is_empty() {
            return self.to.clone();
        }
        parent.primary_key()
    }

    /// SQL condition: a row refers to anything at all.
    pub(super) fn refers(&self, alias: &str) -> String {
        let parent = format!("main.{}", quoted(&self.parent));
        let columns = self.from.iter().enumerate().map(|(at, column)| {
            let column = format!("{alias}.{}", quoted(column));
            match self.to.get(at).filter(|_| self.is_declared) {
                Some(to) => declared_references::refers(&column, &parent, &quoted(to)),
                None => format!("{column} IS NOT NULL"),
            }
        });
        columns.chain(self.is_meant(alias)).collect::<Vec<_>>().join(" AND ")
    }

    /// SQL condition: a row is one of those that the reference applies to; `None` if it applies to
    /// all.
    pub(super) fn is_meant(&self, alias: &str) -> Option<String> {
        let only = self.only.as_ref()?;
        Some(only.is(&format!("{alias}.{}", quoted(&only.column))))
    }

    /// How many of the rows that were taken refer to anything.
    pub(super) fn count(&self, connection: &Connection, child: &Member) -> Result<u64> {
        let question = format!(
            "SELECT count(*) FROM {} AS f CROSS JOIN {} AS r ON {} WHERE {}",
            child.rows(),
            child.table,
            child.is_row("r", "f.k"),
            self.refers("r")
        );
        let n: i64 = connection.query_row(&question, [], |row| row.get(0))?;
        Ok(n.cast_unsigned())
    }

    /// A remark for the user.
    pub(super) fn remark(&self, n_rows: u64, obstacle: Obstacle) -> String {
        let (child, parent) = (text::plain(&self.child), text::plain(&self.parent));
        let verb = if n_rows == 1 { "refers" } else { "refer" };
        let whom = match obstacle {
            Obstacle::NoRow => format!("rows of `{parent}` that do not exist"),
            Obstacle::NoTable => format!("table `{parent}`, which does not exist"),
            Obstacle::NoColumns => format!("columns that `{parent}` has no key of"),
            Obstacle::LeftOut => format!("rows of `{parent}`, which are left out"),
        };
        format!("{} of `{child}` {verb} to {whom}", text::count(n_rows, "row"))
    }
}
