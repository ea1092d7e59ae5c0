//! Remarks for the user about an export: what it leaves out, and what that means.

use std::collections::BTreeSet;

use anyhow::Result;
use xtask_db_format::{Header, Rows, TableHead};

use crate::console::text;
use crate::rows::export::selection::Selecting;
use crate::rows::export::virtual_tables;
use crate::sqlite::connection;
use crate::sqlite::schema::{Storage, Table};

impl Selecting<'_> {
    pub(super) fn remark_on_module(&mut self, table: &Table, rows: Rows) {
        let name = text::plain(&table.name);
        if rows == Rows::Unreadable {
            self.remarks.push(format!(
                "`{name}` stores an index without its texts (content=''): the table is exported \
                 empty"
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

    /// Rows whose parents are not here cannot be imported by themselves.
    pub(super) fn remark_on_missing_parents(&mut self, header: &Header) -> Result<()> {
        // Of a subset it is known which rows do.
        if self.subset.is_some() {
            return Ok(());
        }
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

    /// A statement may contain bytes that are not UTF-8, which JSON cannot have.
    pub(super) fn remark_on_odd_statements(&mut self) -> Result<()> {
        let mut statement =
            self.connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (name, sql) = (row.get_ref(0)?.as_bytes()?, row.get_ref(1)?.as_bytes()?);
            if std::str::from_utf8(sql).is_err() {
                self.remarks.push(format!(
                    "the definition of `{}` contains bytes that are not UTF-8; U+FFFD replaces them",
                    text::plain(&String::from_utf8_lossy(name))
                ));
            }
        }
        Ok(())
    }

    /// In a subset, leaves out the rows of tables in which nothing can be chosen; their definition
    /// stays.
    pub(super) fn leave_out_what_hangs_on_nothing(
        &mut self,
        table: &Table,
        head: &mut TableHead,
    ) -> Result<()> {
        let Some(subset) = &self.subset else { return Ok(()) };
        if head.rows != Rows::Here || subset.member(&table.name).is_some() {
            return Ok(());
        }
        head.rows = Rows::LeftOut;
        let question = format!("SELECT count(*) FROM main.{}", connection::quoted(&table.name));
        let n: i64 = self.connection.query_row(&question, [], |row| row.get(0))?;
        if n > 0 {
            let why = match table.storage {
                Storage::Virtual(_) => "is connected by no foreign keys",
                _ => "has columns that hide its rowids, so that rows cannot be told apart",
            };
            self.remarks.push(format!(
                "`{}` {why}: its {} left out",
                text::plain(&table.name),
                match n {
                    1 => "only row is".to_owned(),
                    n => format!("{} are", text::count(n.cast_unsigned(), "row")),
                }
            ));
        }
        Ok(())
    }
}
