//! The names of tables and columns in the scratch files: what two states have in common has one name in both.
//!
//! A table is paired by its number, else by its name, because a migration may rebuild it; a column by its place, else by
//! its name. The common name is that of the older state, and SQLite takes names in another case for the same.

use std::collections::BTreeSet;

use crate::postgres::catalogue::{Catalogue, Column, Table};

/// A table in one or both states.
#[derive(Debug, Clone)]
pub(super) struct Named<'c> {
    /// In the scratch files.
    pub(super) name: String,
    /// As the older state has it.
    pub(super) before: Option<&'c Table>,
    /// As the newer one has it.
    pub(super) after: Option<&'c Table>,
    /// Its columns.
    pub(super) columns: Vec<NamedColumn<'c>>,
}

/// A column in one or both states.
#[derive(Debug, Clone)]
pub(super) struct NamedColumn<'c> {
    /// In the scratch files.
    pub(super) name: String,
    /// As the older state has it.
    pub(super) before: Option<&'c Column>,
    /// As the newer one has it.
    pub(super) after: Option<&'c Column>,
}

/// Names that are free, in any case.
#[derive(Default)]
struct Taken(BTreeSet<String>);

impl Taken {
    fn take(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        while !self.0.insert(name.to_lowercase()) {
            name.push('~');
        }
        name
    }
}

/// All tables of two states that have rows of their own.
pub(super) fn named<'c>(before: &'c Catalogue, after: &'c Catalogue) -> Vec<Named<'c>> {
    let with_rows =
        |catalogue: &'c Catalogue| catalogue.tables.iter().filter(|table| table.has_rows);
    let mut new: Vec<&Table> = with_rows(after).collect();
    let olds: Vec<&Table> = with_rows(before).collect();
    let mut pairs: Vec<(Option<&Table>, Option<&Table>)> = Vec::new();
    let mut single = Vec::new();
    for old in olds {
        match new.iter().position(|table| table.oid == old.oid) {
            Some(at) => pairs.push((Some(old), Some(new.remove(at)))),
            None => single.push(old),
        }
    }
    for old in single {
        let at = new.iter().position(|table| table.name == old.name);
        pairs.push((Some(old), at.map(|at| new.remove(at))));
    }
    pairs.extend(new.into_iter().map(|table| (None, Some(table))));
    let mut taken = Taken::default();
    let named = pairs.into_iter().map(|(before, after)| Named {
        name: taken.take(before.or(after).map_or("", |table| &table.name)),
        before,
        after,
        columns: columns(before, after),
    });
    named.collect()
}

fn columns<'c>(before: Option<&'c Table>, after: Option<&'c Table>) -> Vec<NamedColumn<'c>> {
    // What is computed before is in no dump, and nothing is lost with it.
    let olds = before.into_iter().flat_map(|table| &table.columns).filter(|c| !c.is_computed);
    let mut new: Vec<&Column> = after.into_iter().flat_map(|table| &table.columns).collect();
    let is_same_table = before.zip(after).is_some_and(|(old, new)| old.oid == new.oid);
    let mut pairs: Vec<(Option<&Column>, Option<&Column>)> = Vec::new();
    let mut single = Vec::new();
    for old in olds {
        match new.iter().position(|column| is_same_table && column.place == old.place) {
            Some(at) => pairs.push((Some(old), Some(new.remove(at)))),
            None => single.push(old),
        }
    }
    for old in single {
        let at = new.iter().position(|column| column.name == old.name);
        pairs.push((Some(old), at.map(|at| new.remove(at))));
    }
    pairs.extend(new.into_iter().map(|column| (None, Some(column))));
    let mut taken = Taken::default();
    let named = pairs.into_iter().map(|(before, after)| NamedColumn {
        name: taken.take(before.or(after).map_or("", |column| &column.name)),
        before,
        after,
    });
    named.collect()
}

impl Named<'_> {
    /// The columns of the primary key in the scratch files, and whether it is a mere number: only a key that both states
    /// have is one.
    pub(super) fn key(&self) -> Vec<&str> {
        let places = |table: Option<&Table>| {
            table.map(|table| table.key.as_slice()).unwrap_or_default().to_vec()
        };
        let of = |places: &[i16], is_before: bool| {
            let column = |place: &i16| {
                self.columns.iter().find(|column| {
                    let one = if is_before { column.before } else { column.after };
                    one.is_some_and(|one| one.place == *place)
                })
            };
            let found: Option<Vec<_>> = places.iter().map(column).collect();
            found.map(|columns| columns.into_iter().map(|c| c.name.as_str()).collect::<Vec<_>>())
        };
        let (before, after) = (places(self.before), places(self.after));
        let (before, after) = (of(&before, true), of(&after, false));
        match (self.before.is_some(), self.after.is_some()) {
            (true, true) if before == after => before.unwrap_or_default(),
            (true, true) => Vec::new(),
            (true, false) => before.unwrap_or_default(),
            _ => after.unwrap_or_default(),
        }
    }
}
