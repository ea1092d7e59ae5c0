//! The differences between two dumps of a PostgreSQL database: definitions by name, and the rows of the tables
//! whose hashes differ.
//!
//! A dump is read from its beginning as often as necessary, so memory does not grow with it. Rows are paired by
//! primary key, or without one by all their values.

mod catalogue;
mod create_table;
mod names;
mod rows;
pub(crate) mod side;
mod statements;
mod table;
mod values;

use anyhow::Result;

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::diff::dumps::rows::Comparison;
use crate::rows::diff::dumps::side::{Dump, Side};
use crate::rows::diff::{Depth, Difference, Row, Wanted};

/// Two dumps whose definitions were read.
pub(crate) struct Pair<'d> {
    a: Side<'d>,
    b: Side<'d>,
    interrupt: &'d Interrupt,
}

impl<'d> Pair<'d> {
    /// Reads the definitions of two dumps.
    ///
    /// # Errors
    ///
    /// Damage if one is not what was recorded; if it cannot be read, or at the user's interrupt.
    pub(crate) fn open(a: Dump<'d>, b: Dump<'d>, interrupt: &'d Interrupt) -> Result<Self> {
        Ok(Self { a: Side::read(a, interrupt)?, b: Side::read(b, interrupt)?, interrupt })
    }

    /// The changes of the definitions.
    ///
    /// # Errors
    ///
    /// A refusal if neither state has a wanted table.
    pub(crate) fn schema(&self, wanted: &Wanted) -> Result<Difference> {
        let mut schema = self.a.catalogue.changes(&self.b.catalogue);
        let tables = self.wanted_tables(wanted)?;
        if !wanted.tables.is_empty() {
            schema.retain(|change| tables.contains(change.table.as_ref().unwrap_or(&change.name)));
        }
        Ok(Difference { schema, tables: Vec::new() })
    }

    /// The differences of definitions and rows; rows that differ are handed to `sink`, if their values are
    /// wanted.
    ///
    /// # Errors
    ///
    /// As [`Pair::schema`], or if a dump cannot be read.
    pub(crate) fn rows(
        &self,
        wanted: &Wanted,
        sink: &mut dyn FnMut(&Row<'_>),
    ) -> Result<Difference> {
        let mut difference = self.schema(wanted)?;
        let tables = self.wanted_tables(wanted)?;
        let is_wanted = |table: &String| wanted.tables.is_empty() || tables.contains(table);
        let (a, b) = (&self.a.dump.proof.tables, &self.b.dump.proof.tables);
        let mut names: Vec<&String> =
            a.keys().chain(b.keys()).filter(|name| is_wanted(name)).collect();
        names.retain(|name| a.get(*name) != b.get(*name));
        names.sort();
        names.dedup();
        let mut comparison = Comparison::of(&self.a, &self.b, &names, self.interrupt);
        comparison.count()?;
        if wanted.depth >= Depth::Values {
            comparison.show(sink)?;
        }
        difference.tables = comparison.finish();
        Ok(difference)
    }

    /// The tables that a user names, by their names in the dumps.
    fn wanted_tables(&self, wanted: &Wanted) -> Result<Vec<String>> {
        let known: Vec<&str> = self.a.catalogue.names().chain(self.b.catalogue.names()).collect();
        let mut tables = Vec::new();
        for named in &wanted.tables {
            let matching: Vec<&str> =
                known.iter().copied().filter(|table| names::is_named(table, named)).collect();
            if matching.is_empty() {
                return Err(unknown(named, &known));
            }
            tables.extend(matching.into_iter().map(str::to_owned));
        }
        Ok(tables)
    }
}

fn unknown(named: &str, known: &[&str]) -> anyhow::Error {
    let mut known: Vec<String> =
        known.iter().map(|name| format!("`{}`", text::plain(name))).collect();
    known.sort();
    known.dedup();
    Refusal::could_not(
        format!("neither state has a table `{}`", text::plain(named)),
        format!("there are {}", known.join(", ")),
    )
}
