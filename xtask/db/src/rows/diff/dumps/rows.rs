//! Compares the rows of the tables whose hashes differ, in as many passes over both dumps as memory allows.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use xtask_db_format::postgres::{CopyLines, Differing, Tally};

use crate::console::interrupt::Interrupt;
use crate::postgres::dump::pieces::Piece;
use crate::rows::diff::dumps::side::Side;
use crate::rows::diff::dumps::table::{Shown, Table, table};
use crate::rows::diff::{Row, TableDifference};

/// What the hashes, or the values, of a pass may take.
const MAX_BYTES: u64 = 256 << 20;

/// A comparison of some tables.
pub(super) struct Comparison<'p, 'd> {
    a: &'p Side<'d>,
    b: &'p Side<'d>,
    tables: Vec<Table>,
    interrupt: &'p Interrupt,
}

/// Which of the two states.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    A,
    B,
}

impl<'p, 'd> Comparison<'p, 'd> {
    pub(super) fn of(
        a: &'p Side<'d>,
        b: &'p Side<'d>,
        names: &[&String],
        interrupt: &'p Interrupt,
    ) -> Self {
        let tables = names.iter().map(|name| table(a, b, name)).collect();
        Self { a, b, tables, interrupt }
    }

    /// Counts the rows that differ.
    pub(super) fn count(&mut self) -> Result<()> {
        for table in self.tables.iter_mut().filter(|table| !table.is_paired()) {
            (table.found.removed, table.found.added) = (table.a.n_rows, table.b.n_rows);
        }
        let paired = self.tables.iter().filter(|table| table.is_paired());
        let n_rows: u64 = paired.map(|table| table.a.n_rows + table.b.n_rows).sum();
        if n_rows == 0 {
            return Ok(());
        }
        let n_passes = (n_rows * Tally::ROW_BYTES).div_ceil(MAX_BYTES);
        for pass in 0..n_passes {
            let is_of_pass = |key: u128| u64::try_from(key % u128::from(n_passes)) == Ok(pass);
            let mut tallies: Vec<Tally> = self.tables.iter().map(|_| Tally::default()).collect();
            let mut room = Vec::new();
            self.each_row(Which::A, &mut |at, line| {
                let hashed = self.tables[at].a.layout.hash(line, &mut room)?;
                if is_of_pass(hashed.key) {
                    tallies[at].first(hashed);
                }
                Ok(())
            })?;
            tallies.iter_mut().for_each(Tally::turn);
            self.each_row(Which::B, &mut |at, line| {
                let hashed = self.tables[at].b.layout.hash(line, &mut room)?;
                if is_of_pass(hashed.key) {
                    tallies[at].second(hashed);
                }
                Ok(())
            })?;
            for (table, tally) in self.tables.iter_mut().zip(tallies) {
                table.take(tally.finish());
            }
        }
        Ok(())
    }

    /// Hands over the values of the rows that differ, table by table.
    pub(super) fn show(&self, sink: &mut dyn FnMut(&Row<'_>)) -> Result<()> {
        let n_rows: u64 = self.tables.iter().map(|table| table.differing.len() as u64).sum();
        let row_bytes = self.row_bytes();
        let n_passes = (n_rows * row_bytes).div_ceil(MAX_BYTES).max(1);
        for pass in 0..n_passes {
            let is_of_pass =
                |one: &&Differing| u64::try_from(one.key % u128::from(n_passes)) == Ok(pass);
            let mut wanted: Vec<HashMap<u128, Shown>> = Vec::new();
            for table in &self.tables {
                let differing = table.differing.iter().filter(is_of_pass);
                wanted.push(differing.map(|one| (one.key, Shown::of(one))).collect());
            }
            self.gather(Which::A, &mut wanted)?;
            self.gather(Which::B, &mut wanted)?;
            for (table, shown) in self.tables.iter().zip(wanted) {
                table.show(shown, sink);
            }
        }
        self.show_unpaired(Which::A, sink)?;
        self.show_unpaired(Which::B, sink)
    }

    /// The rows of tables that only one state has, as they come.
    fn show_unpaired(&self, which: Which, sink: &mut dyn FnMut(&Row<'_>)) -> Result<()> {
        if self.tables.iter().all(Table::is_paired) {
            return Ok(());
        }
        self.each_row_of(which, &|table| !table.is_paired(), &mut |at, line| {
            let table = &self.tables[at];
            let (before, after) = match which {
                Which::A => (Some(line), None),
                Which::B => (None, Some(line)),
            };
            table.show_row(before, after, sink);
            Ok(())
        })
    }

    fn gather(&self, which: Which, wanted: &mut [HashMap<u128, Shown>]) -> Result<()> {
        let mut room = Vec::new();
        self.each_row(which, &mut |at, line| {
            if wanted[at].is_empty() {
                return Ok(());
            }
            let table = &self.tables[at];
            let half = if which == Which::A { &table.a } else { &table.b };
            let hashed = half.layout.hash(line, &mut room)?;
            if let Some(shown) = wanted[at].get_mut(&hashed.key) {
                let (n, lines) = match which {
                    Which::A => (&mut shown.n_before, &mut shown.before),
                    Which::B => (&mut shown.n_after, &mut shown.after),
                };
                if *n > 0 {
                    *n -= 1;
                    lines.push(line.to_vec());
                }
            }
            Ok(())
        })
    }

    /// What a row takes on average.
    fn row_bytes(&self) -> u64 {
        let of = |side: &Side<'_>| {
            let proof = side.dump.proof;
            let n_rows: u64 = proof.tables.values().map(|table| table.rows).sum();
            proof.sql_bytes / n_rows.max(1)
        };
        of(self.a).max(of(self.b)) * 2 + 128
    }

    /// The rows of the tables that are compared row by row.
    fn each_row(
        &self,
        which: Which,
        each: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        self.each_row_of(which, &Table::is_paired, each)
    }

    fn each_row_of(
        &self,
        which: Which,
        is_wanted: &dyn Fn(&Table) -> bool,
        each: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let places = self.tables.iter().enumerate().filter(|(_, table)| is_wanted(table));
        let places: BTreeMap<&str, usize> =
            places.map(|(at, table)| (table.found.table.as_str(), at)).collect();
        let side = if which == Which::A { self.a } else { self.b };
        let (mut current, mut lines) = (None, CopyLines::default());
        side.each_piece(self.interrupt, &mut |piece| {
            match (&piece, current) {
                (Piece::Copy(_, target), _) => current = places.get(target.name.as_str()).copied(),
                (Piece::Rows(bytes, _), Some(at)) => {
                    lines.take(bytes, &mut |line| each(at, line))?;
                }
                (Piece::End(_), Some(_)) => lines.finish()?,
                _ => {}
            }
            Ok(())
        })
    }

    /// The tables that differ.
    pub(super) fn finish(self) -> Vec<TableDifference> {
        let found = self.tables.into_iter().map(|table| table.found);
        found.filter(TableDifference::is_different).collect()
    }
}
