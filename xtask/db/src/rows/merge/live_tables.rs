//! The tables of the live database, independent of any file: keys, references, and columns with
//! numbers that identify a row only in this database.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use rusqlite::Connection;

use crate::console::nearest_word::nearest;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::merge::declared_keys::Said;
use crate::rows::merge::keys::{self, By, Key, Reference};
use crate::sqlite::schema::{Schema, Storage, Table};

/// One of the two databases of a merge, with its schema.
pub(super) struct Side<'a> {
    /// Its connection.
    pub connection: &'a Connection,
    /// Its schema.
    pub schema: &'a Schema,
}

/// One table of the database.
#[derive(Debug)]
pub(super) struct Here {
    /// As it is declared.
    pub table: Table,
    /// The keys that identify its rows, in the order in which they are tried.
    pub keys: Vec<Key>,
    /// Its references.
    pub references: Vec<Reference>,
    /// Its references by computed columns, which cannot be translated.
    pub computed: Vec<Reference>,
    /// The columns that refer in the file to a table that is not here, in lower case: their numbers mean
    /// no row of another one.
    pub astray: BTreeSet<String>,
    /// The column of numbers that mean a row only here.
    pub surrogate: Option<String>,
    /// Columns by which a row is found again, and their collations: its rowid, else its key.
    pub locator: Vec<(String, String)>,
}

/// All tables that rows are merged into, by their names in lower case.
#[derive(Debug, Default)]
pub(super) struct Tables(pub BTreeMap<String, Here>);

impl Tables {
    /// Reads the tables of the database, and of a file, whose foreign keys count too.
    ///
    /// # Errors
    ///
    /// If a schema cannot be read; a refusal if a configured key names what is not there.
    pub(super) fn of(ours: &Side<'_>, theirs: &Side<'_>, said: &Said<'_>) -> Result<Self> {
        let Side { connection: here, schema } = *ours;
        let Side { connection: file, schema: of_file } = *theirs;
        refuse_unknown_tables(schema, said)?;
        let mut tables = BTreeMap::new();
        for (name, table) in &schema.tables {
            if matches!(table.storage, Storage::Virtual(_)) {
                continue;
            }
            let mut references = keys::references(here, name, &schema.tables)?;
            said.add_to(&mut references, table)?;
            let mut astray = BTreeSet::new();
            if let Some(theirs) = of_file.tables.get(name) {
                let all = keys::references(file, &theirs.name, &of_file.tables)?;
                let unknown = all.into_iter().filter(|r| !schema.tables.contains_key(&r.parent));
                let columns = unknown.flat_map(|reference| reference.from);
                astray.extend(columns.map(|column| column.to_ascii_lowercase()));
                for reference in keys::references(file, &theirs.name, &schema.tables)? {
                    let is_known = references.iter().any(|known| is_same(known, &reference));
                    if !is_known && !said.is_about(name, &reference) {
                        references.push(reference);
                    }
                }
            }
            // A column that is not here at all is left out, and what it refers to.
            let is_computed = |reference: &Reference| {
                reference.from.iter().any(|from| {
                    table.column(from).is_some() && keys::ordinary(table, from).is_none()
                })
            };
            let (computed, references): (Vec<_>, Vec<_>) =
                references.into_iter().partition(is_computed);
            let references = references.into_iter().filter_map(|reference| {
                let from = reference.from.iter().map(|from| keys::ordinary(table, from));
                let from = from.map(|from| from.map(str::to_owned)).collect::<Option<_>>()?;
                Some(Reference { from, ..reference })
            });
            let mut references: Vec<Reference> = references.collect();
            // Columns that a longer one shares with a shorter one are translated by the shorter one.
            references.sort_by_key(|reference| reference.from.len());
            tables.insert(
                name.clone(),
                Here { computed, astray, ..complete(here, table, references, said)? },
            );
        }
        Ok(Self(tables))
    }

    /// The tables whose numbers a column contains: its own if it is the surrogate, else those of the
    /// tables that it refers to.
    #[must_use]
    pub(super) fn numbers_in(&self, table: &str, column: &str) -> BTreeSet<String> {
        let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let mut open = vec![(table.to_ascii_lowercase(), column.to_ascii_lowercase())];
        while let Some((table, column)) = open.pop() {
            let Some(here) =
                self.0.get(&table).filter(|_| seen.insert((table.clone(), column.clone())))
            else {
                continue;
            };
            if here.surrogate.as_ref().is_some_and(|s| s.eq_ignore_ascii_case(&column)) {
                found.insert(table);
                continue;
            }
            for reference in &here.references {
                let pairs = reference.from.iter().zip(&reference.to);
                let pairs = pairs.filter(|(from, _)| from.eq_ignore_ascii_case(&column));
                open.extend(
                    pairs.map(|(_, to)| (reference.parent.clone(), to.to_ascii_lowercase())),
                );
            }
        }
        found
    }

    /// The columns by which a reference contains numbers of a table.
    pub(super) fn holding(&self, reference: &Reference, table: &str) -> Vec<String> {
        let pairs = reference.from.iter().zip(&reference.to);
        let holds = pairs.filter(|(_, to)| self.numbers_in(&reference.parent, to).contains(table));
        holds.map(|(from, _)| from.clone()).collect()
    }

    /// The collations under which a table's columns are compared if others refer to them.
    #[must_use]
    pub(super) fn collations(&self, table: &str, columns: &[String]) -> Vec<String> {
        let Some(here) = self.0.get(table) else {
            return vec!["BINARY".to_owned(); columns.len()];
        };
        columns.iter().map(|column| keys::collation(&here.table, column)).collect()
    }
}

fn is_same(a: &Reference, b: &Reference) -> bool {
    let same = |a: &[String], b: &[String]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    a.parent == b.parent && same(&a.from, &b.from) && same(&a.to, &b.to)
}

fn complete(
    connection: &Connection,
    table: &Table,
    references: Vec<Reference>,
    said: &Said<'_>,
) -> Result<Here> {
    let configured = configured(table, said.merge_key)?;
    let declared = keys::of(connection, table)?;
    let own = table.name.to_ascii_lowercase();
    // The number of a 1:1 extension is its parent's, even if a kind is part of the reference, and a
    // configured one means the same everywhere.
    let is_meant = |column: &str| {
        let is_it = |name: &String| name.eq_ignore_ascii_case(column);
        references
            .iter()
            .any(|reference| reference.parent != own && reference.from.iter().any(is_it))
            || configured.as_ref().is_some_and(|key| key.columns.iter().any(is_it))
    };
    let number = keys::number(table).or_else(|| said.renumbered(table));
    let surrogate = number.filter(|column| !is_meant(column)).map(str::to_owned);
    let locator = locator(table, &declared)?;
    let says_nothing = |key: &Key| surrogate.as_ref().is_some_and(|s| key.columns.contains(s));
    let mut keys: Vec<Key> = configured.into_iter().collect();
    keys.extend(declared.into_iter().filter(|key| !says_nothing(key)));
    Ok(Here {
        table: table.clone(),
        keys,
        references,
        computed: Vec::new(),
        astray: BTreeSet::new(),
        surrogate,
        locator,
    })
}

fn locator(table: &Table, declared: &[Key]) -> Result<Vec<(String, String)>> {
    if table.storage == Storage::WithoutRowid {
        let key = declared.iter().find(|key| key.by == By::Primary);
        let columns = table.primary_key();
        let collations =
            key.map_or_else(|| vec!["BINARY".to_owned(); columns.len()], |k| k.collations.clone());
        return Ok(columns.into_iter().zip(collations).collect());
    }
    match table.rowid_name() {
        Some(name) => Ok(vec![(name, "BINARY".to_owned())]),
        None => Err(Refusal::could_not(
            format!(
                "rows of `{}` cannot be found again: its columns use every name of the rowid",
                text::plain(&table.name)
            ),
            "rename the column `rowid`, `oid` or `_rowid_`; the database is untouched",
        )),
    }
}

fn refuse_unknown_tables(schema: &Schema, said: &Said<'_>) -> Result<()> {
    let keys = said.merge_key.keys().map(|name| ("merge-key", name));
    let numbers = said.renumber.iter().map(|name| ("renumber", name));
    let Some((key, unknown)) = keys.chain(numbers).find(|(_, name)| schema.table(name).is_none())
    else {
        return Ok(());
    };
    let near = nearest(schema.tables.values().map(|table| table.name.as_str()), unknown);
    Err(Refusal::could_not(
        format!(
            "`{key}` names the table `{}`, which does not exist here{near}",
            text::plain(unknown)
        ),
        "correct it in `Cargo.toml`; the database is untouched",
    ))
}

fn configured(table: &Table, merge_key: &BTreeMap<String, Vec<String>>) -> Result<Option<Key>> {
    let mut named = merge_key.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&table.name));
    let Some((_, columns)) = named.next() else { return Ok(None) };
    let mut key = Key { columns: Vec::new(), collations: Vec::new(), by: By::Configuration };
    for column in columns {
        let Some(column) = keys::ordinary(table, column) else {
            return Err(Refusal::could_not(
                format!(
                    "`merge-key` names the column `{}`, which `{}` does not have",
                    text::plain(column),
                    text::plain(&table.name)
                ),
                "correct it in `Cargo.toml`; the database is untouched",
            ));
        };
        key.collations.push(keys::collation(table, column));
        key.columns.push(column.to_owned());
    }
    Ok(Some(key).filter(|key| !key.columns.is_empty()))
}
