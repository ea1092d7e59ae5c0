//! Two tables of two states side by side, whatever their names and columns: what a migration did to
//! a table.
//!
//! Tables with equal pages are equal. Others are walked leaf by leaf if both have the same layout,
//! otherwise read through SQL in the order of their keys.

use std::cmp::Ordering;

use anyhow::{Context, Result};
use rusqlite::Connection;

use crate::rows::diff::State;
use crate::rows::diff::pages::Tree;
use crate::rows::diff::rows::{self, Lookup, SelectedRow, SideBySide};
use crate::rows::diff::same_pages::is_same_tree;
use crate::rows::diff::side::Side;
use crate::rows::diff::source::{Key, Source};
use crate::rows::diff::table_pair::{Column, Each, Pair, PairedRow, Way, When};
use crate::rows::diff::trees::{self, Fate};
use crate::sqlite::schema::{Nature, Schema, Storage, Table};

/// Two states, read table by table.
pub(crate) struct Pairs<'c> {
    before: Side<'c>,
    after: Side<'c>,
}

impl<'c> Pairs<'c> {
    /// Compares two states, each in the read transaction of its connection.
    ///
    /// # Errors
    ///
    /// If a schema cannot be read.
    pub(crate) fn of(before: State<'c>, after: State<'c>) -> Result<Self> {
        Ok(Self { before: Side::of(before)?, after: Side::of(after)? })
    }

    fn side(&self, when: When) -> &Side<'c> {
        if when == When::Before { &self.before } else { &self.after }
    }

    /// The schema of a state.
    pub(crate) fn schema(&self, when: When) -> &Schema {
        &self.side(when).schema
    }

    /// The connection of a state.
    pub(crate) fn connection(&self, when: When) -> &'c Connection {
        self.side(when).connection
    }

    /// The columns whose values a table stores; for the newer state, also the computed ones.
    ///
    /// # Errors
    ///
    /// If its module is unknown here.
    pub(crate) fn columns(&self, when: When, table: &Table) -> Result<Vec<Column>> {
        let Some(source) = Source::of(self.side(when).connection, table)? else {
            return Ok(Vec::new());
        };
        let of = |(source, shown): (&String, &String)| Column {
            source: source.clone(),
            shown: shown.clone(),
        };
        let mut columns: Vec<_> = source.columns.iter().zip(&source.shown).map(of).collect();
        if when == When::After && !matches!(table.storage, Storage::Virtual(_)) {
            let is_computed = |c: &&crate::sqlite::schema::Column| {
                !matches!(c.nature, Nature::Ordinary | Nature::Hidden)
            };
            let computed = table.columns.iter().filter(is_computed);
            columns.extend(computed.map(|column| of((&column.name, &column.name))));
        }
        Ok(columns)
    }

    /// The number of rows of a table; none if it keeps none.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn count(&self, when: When, table: &Table) -> Result<u64> {
        let connection = self.side(when).connection;
        let source = Source::of(connection, table)?;
        source.map_or(Ok(0), |source| rows::count(connection, &source))
    }

    /// Whether two tables have equal pages: nobody touched the rows, whatever they are called. Columns
    /// added at the end are in no page.
    ///
    /// # Errors
    ///
    /// If a page cannot be read or is malformed.
    pub(crate) fn is_untouched(&mut self, before: &Table, after: &Table) -> Result<bool> {
        let n_stored = |table: &Table| {
            table.columns.iter().filter(|c| c.nature != Nature::GeneratedVirtual).count()
        };
        let is_alike = before.root_page > 0
            && after.root_page > 0
            && before.storage == after.storage
            && n_stored(before) <= n_stored(after);
        let (Some(one), Some(other)) = (&mut self.before.pages, &mut self.after.pages) else {
            return Ok(false);
        };
        if !is_alike || one.layout() != other.layout() {
            return Ok(false);
        }
        let one = Tree { pages: one, root: before.root_page };
        let other = Tree { pages: other, root: after.root_page };
        is_same_tree(one, other)
    }

    /// Passes on the rows of a table that only one state has, or that have no counterpart.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or as `each`.
    pub(crate) fn each_row(
        &self,
        when: When,
        table: &Table,
        columns: &[Column],
        each: Each<'_>,
    ) -> Result<()> {
        let connection = self.side(when).connection;
        let Some(mut source) = Source::of(connection, table)? else { return Ok(()) };
        let n_key = source.key.len();
        source.columns = names(columns);
        rows::each_row(connection, &source, &mut |row| {
            let values = row.values(n_key..n_key + columns.len())?;
            let values = Some(values.as_slice());
            each(&match when {
                When::Before => PairedRow { before: values, after: None },
                When::After => PairedRow { before: None, after: values },
            })
        })
    }

    /// Passes on the rows of two tables that are not equal; all rows, if one has columns of its
    /// own.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or as `each`.
    pub(crate) fn each(&mut self, pair: &Pair<'_>, each: Each<'_>) -> Result<()> {
        if pair.way == Way::Nothing {
            self.each_row(When::Before, pair.before, &pair.columns_before, each)?;
            return self.each_row(When::After, pair.after, &pair.columns_after, each);
        }
        let n_most = pair.columns_before.len().max(pair.columns_after.len());
        if n_most == pair.n_shared && self.is_laid_out_alike(pair)? && self.keeps_keys(pair)? {
            return self.by_trees(pair, each);
        }
        self.by_rows(pair, each)
    }

    fn is_laid_out_alike(&self, pair: &Pair<'_>) -> Result<bool> {
        let (a, b) = self.sources(pair)?;
        Ok(match (&self.before.pages, &self.after.pages) {
            (Some(one), Some(other)) => {
                one.layout() == other.layout()
                    && pair.before.columns == pair.after.columns
                    && pair.before.storage == pair.after.storage
                    && a.root_page.is_some()
                    && b.root_page.is_some()
            }
            _ => false,
        })
    }

    /// Whether every row still has the key that it had, so that rows pair by their numbers too.
    fn keeps_keys(&mut self, pair: &Pair<'_>) -> Result<bool> {
        let Way::Key(key) = &pair.way else { return Ok(true) };
        let key: Vec<_> =
            key.iter().map(|name| Column { source: name.clone(), shown: name.clone() }).collect();
        let n_shared = key.len();
        let keys = Pair {
            columns_before: key.clone(),
            columns_after: key,
            n_shared,
            way: Way::Places,
            ..pair.clone()
        };
        let mut keeps = true;
        // A row whose key is equal is passed on too, if anything else of it differs.
        self.by_trees(&keys, &mut |row| {
            keeps &= row.before == row.after;
            Ok(())
        })?;
        Ok(keeps)
    }

    fn by_trees(&mut self, pair: &Pair<'_>, each: Each<'_>) -> Result<()> {
        let (a, b) = self.sources(pair)?;
        let (a_root, b_root) = (a.root_page.unwrap_or(0), b.root_page.unwrap_or(0));
        let mut one = Lookup::of(self.before.connection, &a, &names(&pair.columns_before))?;
        let mut other = Lookup::of(self.after.connection, &b, &names(&pair.columns_after))?;
        let trees = (self.before.tree(a_root), self.after.tree(b_root));
        let (Some(a_tree), Some(b_tree)) = trees else {
            anyhow::bail!("there is no table of pages");
        };
        trees::each_difference(a_tree, b_tree, &mut |rowid, fate| {
            let mut before = (fate != Fate::Added).then(|| one.row(rowid)).transpose()?;
            let mut after = (fate != Fate::Removed).then(|| other.row(rowid)).transpose()?;
            // Of a table without columns the key is read.
            if let Some(values) = &mut before {
                values.truncate(pair.columns_before.len());
            }
            if let Some(values) = &mut after {
                values.truncate(pair.columns_after.len());
            }
            each(&PairedRow { before: before.as_deref(), after: after.as_deref() })
        })
    }

    fn by_rows(&mut self, pair: &Pair<'_>, each: Each<'_>) -> Result<()> {
        let (mut a, mut b) = self.sources(pair)?;
        if let Way::Key(columns) = &pair.way {
            a.key = self.key(pair.before, columns)?;
            b.key.clone_from(&a.key);
        }
        let n_key = a.key.len();
        let (n_a, n_b) = (pair.columns_before.len(), pair.columns_after.len());
        let sides = SideBySide {
            a: a.select(self.before.connection, &names(&pair.columns_before))?,
            b: b.select(self.after.connection, &names(&pair.columns_after))?,
            key: &a.key,
        };
        let wants_all = n_a.max(n_b) > pair.n_shared;
        sides.each(&mut |order, one, other| {
            if order == Ordering::Equal
                && !wants_all
                && let (Some(one), Some(other)) = (one, other)
                && one.is_same(other, n_key + pair.n_shared)?
            {
                return Ok(());
            }
            let values = |row: Option<SelectedRow<'_>>, n| {
                row.map(|row| row.values(n_key..n_key + n)).transpose()
            };
            let (before, after) = (values(one, n_a)?, values(other, n_b)?);
            each(&PairedRow { before: before.as_deref(), after: after.as_deref() })
        })
    }

    /// The sources of the rows of both.
    fn sources(&self, pair: &Pair<'_>) -> Result<(Source, Source)> {
        let source = |side: &Side<'_>, table: &Table| {
            Source::of(side.connection, table)?.context("it keeps no rows")
        };
        Ok((source(&self.before, pair.before)?, source(&self.after, pair.after)?))
    }

    /// Columns of the older table, ordered as its primary key orders them.
    fn key(&self, table: &Table, columns: &[String]) -> Result<Vec<Key>> {
        let mut statement = self.before.connection.prepare(
            "SELECT coll FROM pragma_index_xinfo(
                 (SELECT name FROM pragma_index_list(?1) WHERE origin = 'pk'))
             WHERE key AND name = ?2 COLLATE NOCASE",
        )?;
        let key = columns.iter().map(|column| {
            let mut collations = statement.query_map([&table.name, column], |row| row.get(0))?;
            let collation = collations.next().transpose()?.unwrap_or_else(|| "BINARY".to_owned());
            let (column, shown) = (column.clone(), column.clone());
            Ok(Key { column, shown, collation, descending: false })
        });
        key.collect()
    }
}

fn names(columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.source.clone()).collect()
}
