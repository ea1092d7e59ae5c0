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
    /// The columns by which its rows are paired, by their names in the scratch files.
    pub(super) key: Vec<String>,
    /// The primary key of the older state, if the newer one has another.
    former_key: Vec<String>,
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
        key: Vec::new(),
        former_key: Vec::new(),
    });
    named.map(Named::with_key).collect()
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
    /// Gives it the key of both states; if they have different ones, notes that of the older one.
    fn with_key(mut self) -> Self {
        let named = |table: Option<&Table>, side: fn(&NamedColumn<'_>) -> Option<i16>| {
            let places = table.map(|table| table.key.clone()).unwrap_or_default();
            let column = |place: &i16| {
                self.columns
                    .iter()
                    .find(|column| side(column) == Some(*place))
                    .map(|c| c.name.clone())
            };
            places.iter().map(column).collect::<Option<Vec<_>>>().unwrap_or_default()
        };
        let before = named(self.before, |column| column.before.map(|column| column.place));
        let after = named(self.after, |column| column.after.map(|column| column.place));
        match (self.before, self.after) {
            (Some(_), Some(_)) if before != after => self.former_key = before,
            (Some(_), _) => self.key = before,
            (None, _) => self.key = after,
        }
        self
    }

    /// Takes the key of the older state for that of both.
    pub(super) fn keep_former_key(&mut self) {
        self.key = std::mem::take(&mut self.former_key);
    }

    /// The columns of the newer state in which the key of the older one is now; `None` if there is none to keep.
    pub(super) fn former_key_now(&self) -> Option<Vec<&str>> {
        let column = |name: &String| {
            let column = self.columns.iter().find(|column| column.name == *name)?;
            column.after.map(|column| column.name.as_str())
        };
        let key: Option<Vec<_>> = self.former_key.iter().map(column).collect();
        key.filter(|key| !key.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(oid: u32, name: &str, columns: &[(i16, &str)]) -> Table {
        let column = |(place, name): &(i16, &str)| Column {
            place: *place,
            name: (*name).to_owned(),
            declared_type: "text".to_owned(),
            not_null: false,
            expression: None,
            is_computed: false,
            rest: String::new(),
        };
        Table {
            oid,
            name: name.to_owned(),
            has_rows: true,
            columns: columns.iter().map(column).collect(),
            key: vec![1],
            constraints: Vec::new(),
        }
    }

    fn check(before: Table, after: Table, expected: &[(&str, Option<&str>, Option<&str>)]) {
        let of = |table| Catalogue { tables: vec![table], ..Catalogue::default() };
        let (before, after) = (of(before), of(after));
        let mut found = Vec::new();
        for table in named(&before, &after) {
            for column in &table.columns {
                let name = |column: Option<&Column>| column.map(|column| column.name.clone());
                let place = format!("{}.{}", table.name, column.name);
                found.push((place, name(column.before), name(column.after)));
            }
        }
        let owned = |name: Option<&str>| name.map(str::to_owned);
        let expected: Vec<_> =
            expected.iter().map(|(a, b, c)| ((*a).to_owned(), owned(*b), owned(*c))).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn numbers_pair_what_is_renamed_and_names_what_is_rebuilt() {
        let old = || table(7, "public.t", &[(1, "id"), (2, "a")]);
        check(
            old(),
            table(7, "public.u", &[(1, "id"), (2, "b"), (3, "a")]),
            &[
                ("public.t.id", Some("id"), Some("id")),
                ("public.t.a", Some("a"), Some("b")),
                ("public.t.a~", None, Some("a")),
            ],
        );
        check(
            old(),
            table(8, "public.t", &[(1, "a"), (2, "ID")]),
            &[
                ("public.t.id", Some("id"), None),
                ("public.t.a", Some("a"), Some("a")),
                ("public.t.ID~", None, Some("ID")),
            ],
        );
        check(
            old(),
            table(8, "public.other", &[(1, "id")]),
            &[
                ("public.t.id", Some("id"), None),
                ("public.t.a", Some("a"), None),
                ("public.other.id", None, Some("id")),
            ],
        );
    }
}
