//! A table that differs: how its rows are paired, and how they are shown.

use std::collections::HashMap;

use xtask_db_format::postgres::{Differing, Kind, Layout};

use crate::rows::diff::dumps::side::Side;
use crate::rows::diff::dumps::values::{order, values};
use crate::rows::diff::{Row, TableDifference};
use crate::sqlite::value::Value;

/// A table that differs.
pub(super) struct Table {
    pub(super) found: TableDifference,
    pub(super) a: Half,
    pub(super) b: Half,
    /// The names of the key's columns; empty if rows are paired by all their values.
    pub(super) key: Vec<String>,
    /// The names of the columns that both have.
    pub(super) shared: Vec<String>,
    pub(super) differing: Vec<Differing>,
}

/// A table in one state.
#[derive(Default)]
pub(super) struct Half {
    pub(super) is_here: bool,
    pub(super) n_rows: u64,
    pub(super) columns: Vec<String>,
    pub(super) types: Vec<Kind>,
    pub(super) layout: Layout,
}

/// Pairs the columns and the key of a table that differs.
pub(super) fn table(a: &Side<'_>, b: &Side<'_>, name: &str) -> Table {
    let half = |side: &Side<'_>| {
        let proof = side.dump.proof.tables.get(name);
        let columns = side.catalogue.columns(name).to_vec();
        let kind = |column: &String| Kind::of_type(side.catalogue.column_type(name, column));
        let types = columns.iter().map(kind).collect();
        let n_rows = proof.map_or(0, |proof| proof.rows);
        Half { is_here: proof.is_some(), n_rows, columns, types, layout: Layout::default() }
    };
    let (mut one, mut other) = (half(a), half(b));
    let shared: Vec<String> =
        other.columns.iter().filter(|column| one.columns.contains(column)).cloned().collect();
    let (a_key, b_key) = (a.catalogue.key(name), b.catalogue.key(name));
    let key = match (one.is_here, other.is_here) {
        (true, false) => a_key,
        (false, true) => b_key,
        _ if a_key == b_key && a_key.iter().all(|column| shared.contains(column)) => a_key,
        _ => &[],
    };
    let key = key.to_vec();
    let are_alike = one.columns == other.columns;
    for half in [&mut one, &mut other] {
        let place = |name: &String| half.columns.iter().position(|column| column == name);
        half.layout = Layout {
            n_columns: half.columns.len(),
            shared: if are_alike { Vec::new() } else { shared.iter().filter_map(place).collect() },
            key: key.iter().filter_map(place).collect(),
        };
    }
    let found = TableDifference { table: name.to_owned(), ..TableDifference::default() };
    let mut table = Table { found, a: one, b: other, key, shared, differing: Vec::new() };
    if !table.is_paired() {
        return table;
    }
    if !are_alike {
        let note = "rows compared by the columns that both have";
        table.found.notes.push(note.to_owned());
    }
    if a_key != b_key {
        let note = "its primary key is different: rows are paired by all their values";
        table.found.notes.push(note.to_owned());
    } else if table.key.is_empty() {
        let note = "it has no primary key: a changed row counts as removed and added";
        table.found.notes.push(note.to_owned());
    }
    table
}

/// A row that differs, with the lines of both states.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) n_before: u32,
    pub(super) n_after: u32,
    pub(super) before: Vec<Vec<u8>>,
    pub(super) after: Vec<Vec<u8>>,
}

impl Shown {
    pub(super) fn of(one: &Differing) -> Self {
        Self { n_before: one.before, n_after: one.after, ..Self::default() }
    }
}

impl Table {
    /// Whether both states have it, with columns in common, so that rows can have counterparts.
    pub(super) fn is_paired(&self) -> bool {
        let has_nothing = self.a.columns.is_empty() && self.b.columns.is_empty();
        self.a.is_here && self.b.is_here && (has_nothing || !self.shared.is_empty())
    }

    pub(super) fn take(&mut self, differing: Vec<Differing>) {
        for one in &differing {
            let (before, after) = (u64::from(one.before), u64::from(one.after));
            let changed = if self.key.is_empty() { 0 } else { before.min(after) };
            self.found.changed += changed;
            self.found.removed += before - changed;
            self.found.added += after - changed;
        }
        self.differing.extend(differing);
    }

    pub(super) fn show(&self, shown: HashMap<u128, Shown>, sink: &mut dyn FnMut(&Row<'_>)) {
        let mut rows = Vec::new();
        for one in shown.into_values() {
            let (mut before, mut after) = (one.before.into_iter(), one.after.into_iter());
            loop {
                let pair = (before.next(), after.next());
                if pair.0.is_none() && pair.1.is_none() {
                    break;
                }
                let order = self.order_of(pair.0.as_deref(), pair.1.as_deref());
                rows.push((order, pair.0, pair.1));
            }
        }
        rows.sort_by(|a, b| order(&a.0, &b.0));
        for (_, before, after) in rows {
            self.show_row(before.as_deref(), after.as_deref(), sink);
        }
    }

    /// The values by which rows are sorted: those of the key, else all.
    fn order_of(&self, before: Option<&[u8]>, after: Option<&[u8]>) -> Vec<Value> {
        let (half, line) = match (before, after) {
            (_, Some(line)) => (&self.b, line),
            (Some(line), None) => (&self.a, line),
            (None, None) => return Vec::new(),
        };
        let all = values(line, &half.types);
        if self.key.is_empty() {
            return all;
        }
        half.layout.key.iter().filter_map(|at| all.get(*at).cloned()).collect()
    }

    pub(super) fn show_row(
        &self,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
        sink: &mut dyn FnMut(&Row<'_>),
    ) {
        let key = if self.key.is_empty() { Vec::new() } else { self.order_of(before, after) };
        let is_both = before.is_some() && after.is_some();
        let whole = if after.is_some() { &self.b.columns } else { &self.a.columns };
        let columns = if is_both { &self.shared } else { whole };
        let chosen = |line: Option<&[u8]>, half: &Half| {
            let all = values(line?, &half.types);
            let place = |name: &String| half.columns.iter().position(|column| column == name);
            let value = |name: &String| all.get(place(name)?).cloned();
            Some(columns.iter().filter_map(value).collect::<Vec<_>>())
        };
        let (before, after) = (chosen(before, &self.a), chosen(after, &self.b));
        sink(&Row {
            table: &self.found.table,
            key_columns: &self.key,
            key: &key,
            columns,
            before: before.as_deref(),
            after: after.as_deref(),
        });
    }
}
