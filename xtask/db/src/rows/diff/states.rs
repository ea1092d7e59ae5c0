//! Compares two states table by table, each in the fastest way that its rows allow.

use std::ops::Range;

use anyhow::{Result, bail};
use rusqlite::Connection;

use crate::console::refusal::Refusal;
use crate::rows::diff::rows::{self, Lookup, SelectedRow, SideBySide};
use crate::rows::diff::same_pages::is_same_tree;
use crate::rows::diff::side::{Side, wanted_tables};
use crate::rows::diff::source::{Key, Source};
use crate::rows::diff::trees::{self, Fate};
use crate::rows::diff::{Depth, Difference, Row, State, TableDifference, Wanted};
use crate::sqlite::schema::{Storage, Table};
use crate::sqlite::trouble::{self, Trouble};
use crate::sqlite::value::Value;

/// Receives the rows that differ.
type Sink<'s> = &'s mut dyn FnMut(&Row<'_>);

/// Compares two states, each in the read transaction of its connection; the rows that differ are
/// handed to `sink`, if their values are requested.
///
/// # Errors
///
/// A refusal if neither has a requested table; if a schema cannot be read, or at the user's interrupt.
/// A table that cannot be read is not a failure: it is reported.
pub(crate) fn between(
    a: State<'_>,
    b: State<'_>,
    wanted: &Wanted,
    sink: Sink<'_>,
) -> Result<Difference> {
    let (mut a, mut b) = (Side::of(a)?, Side::of(b)?);
    let mut schema = a.schema.changes(&b.schema);
    a.add_counters()?;
    b.add_counters()?;
    let tables = wanted_tables(&a.schema, &b.schema, &wanted.tables)?;
    if !wanted.tables.is_empty() {
        schema.retain(|change| {
            let table = change.table.as_ref().unwrap_or(&change.name);
            tables.contains(&table.to_ascii_lowercase())
        });
    }
    let mut difference = Difference { schema, tables: Vec::new() };
    if wanted.depth == Depth::Schema {
        return Ok(difference);
    }
    let mut comparison = Comparison { a, b, depth: wanted.depth, sink };
    for table in tables {
        let found = comparison.table(&table)?;
        if found.is_different() || found.unread.is_some() {
            difference.tables.push(found);
        }
    }
    Ok(difference)
}

/// A table as both states have it.
#[derive(Clone, Copy)]
struct Pair<'t> {
    a: Located<'t>,
    b: Located<'t>,
}

/// A table of one state, and where its rows are.
#[derive(Clone, Copy)]
struct Located<'t> {
    table: &'t Table,
    source: &'t Source,
}

struct Comparison<'c, 's> {
    a: Side<'c>,
    b: Side<'c>,
    depth: Depth,
    sink: Sink<'s>,
}

impl Comparison<'_, '_> {
    /// Compares one table; a part that SQLite cannot read is part of the answer.
    fn table(&mut self, key: &str) -> Result<TableDifference> {
        let tables = (self.a.schema.table(key).cloned(), self.b.schema.table(key).cloned());
        let name = tables.1.as_ref().or(tables.0.as_ref()).map_or(key, |table| &table.name);
        let mut found = TableDifference { table: name.to_owned(), ..TableDifference::default() };
        let compared = match &tables {
            (Some(a), Some(b)) => self.both(a, b, &mut found),
            (Some(a), None) => self.one(a, Fate::Removed, &mut found),
            (None, Some(b)) => self.one(b, Fate::Added, &mut found),
            (None, None) => Ok(()),
        };
        match compared {
            Ok(()) => Ok(found),
            Err(error) if is_fatal(&error) => Err(error),
            Err(error) => {
                found.unread = Some(trouble::message(&error));
                Ok(found)
            }
        }
    }

    /// A table that only one state has.
    fn one(&mut self, table: &Table, fate: Fate, found: &mut TableDifference) -> Result<()> {
        let side = if fate == Fate::Added { &self.b } else { &self.a };
        let Some(source) = Source::of(side.connection, table)? else { return Ok(()) };
        *count_of(found, fate) = rows::count(side.connection, &source)?;
        if self.depth < Depth::Values {
            return Ok(());
        }
        all_rows(side.connection, Located { table, source: &source }, fate, self.sink)
    }

    fn both(&mut self, a: &Table, b: &Table, found: &mut TableDifference) -> Result<()> {
        let is_rewritten = self.depth == Depth::Rewrite && a.is_defined_otherwise(b);
        if is_rewritten && (is_virtual(a) || is_virtual(b)) {
            return self.one(b, Fate::Added, found);
        }
        let sources = (Source::of(self.a.connection, a)?, Source::of(self.b.connection, b)?);
        let (Some(a_source), Some(b_source)) = &sources else {
            found.otherwise |= !a.shadows.is_empty() && self.differs_inside(a, b)?;
            return Ok(());
        };
        let located = |table, source| Located { table, source };
        let pair = Pair { a: located(a, a_source), b: located(b, b_source) };
        if is_virtual(a) && !self.differs_inside(a, b)? {
            return Ok(());
        }
        let depth = if is_rewritten { Depth::Counts } else { self.depth };
        self.rows(pair, depth, found)?;
        let has_rows = found.added + found.removed + found.changed > 0;
        if is_virtual(a) && !has_rows {
            found.otherwise = true;
            found.notes.push("its rows are equal, its internal data is not".to_owned());
        }
        if is_rewritten {
            all_rows(self.b.connection, pair.b, Fate::Added, self.sink)?;
        }
        Ok(())
    }

    /// Whether the shadow tables of a virtual table differ in anything.
    fn differs_inside(&mut self, a: &Table, b: &Table) -> Result<bool> {
        let names = |table: &Table| -> Vec<String> {
            table.shadows.iter().map(|shadow| shadow.name.to_ascii_lowercase()).collect()
        };
        if names(a) != names(b) {
            return Ok(true);
        }
        for (a, b) in a.shadows.iter().zip(&b.shadows) {
            let (Some(a_source), Some(b_source)) =
                (Source::of(self.a.connection, a)?, Source::of(self.b.connection, b)?)
            else {
                continue;
            };
            let mut inside = TableDifference::default();
            let a = Located { table: a, source: &a_source };
            let b = Located { table: b, source: &b_source };
            self.rows(Pair { a, b }, Depth::Counts, &mut inside)?;
            if inside.is_different() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Compares the rows of a table that both have.
    fn rows(&mut self, pair: Pair<'_>, depth: Depth, found: &mut TableDifference) -> Result<()> {
        let Pair { a, b } = pair;
        if !is_same_key(&a.source.key, &b.source.key) {
            return self.unpaired(pair, found);
        }
        let is_laid_out_alike = match (&self.a.pages, &self.b.pages) {
            (Some(a), Some(b)) => a.layout() == b.layout(),
            _ => false,
        };
        let is_defined_alike = a.table.columns == b.table.columns
            && a.table.storage == b.table.storage
            && a.source.columns == b.source.columns;
        if is_laid_out_alike && is_defined_alike {
            if a.source.root_page.is_some() {
                return self.by_trees(pair, depth, found);
            }
            if a.table.storage == Storage::WithoutRowid && self.is_untouched(pair)? {
                return Ok(());
            }
        }
        self.by_rows(pair, depth, found)
    }

    fn is_untouched(&mut self, pair: Pair<'_>) -> Result<bool> {
        match (self.a.tree(pair.a.table.root_page), self.b.tree(pair.b.table.root_page)) {
            (Some(a), Some(b)) => is_same_tree(a, b),
            _ => Ok(false),
        }
    }

    /// A table whose key is another one now: no row of it has a counterpart.
    fn unpaired(&mut self, pair: Pair<'_>, found: &mut TableDifference) -> Result<()> {
        found.removed = rows::count(self.a.connection, pair.a.source)?;
        found.added = rows::count(self.b.connection, pair.b.source)?;
        found.notes.push("its primary key is different: rows cannot be paired".to_owned());
        Ok(())
    }

    fn by_trees(
        &mut self,
        pair: Pair<'_>,
        depth: Depth,
        found: &mut TableDifference,
    ) -> Result<()> {
        let (a, b, sink) = (self.a.connection, self.b.connection, &mut *self.sink);
        let (a_source, b_source) = (pair.a.source, pair.b.source);
        let (a_root, b_root) = (a_source.root_page, b_source.root_page);
        let trees = (self.a.tree(a_root.unwrap_or(0)), self.b.tree(b_root.unwrap_or(0)));
        let (Some(a_tree), Some(b_tree)) = trees else {
            bail!("there is no table of pages");
        };
        let lookup = |connection, source: &Source| Lookup::of(connection, source, &source.columns);
        // Prepared if they are needed: a table may have no name for its rowid.
        let mut lookups = None;
        trees::each_difference(a_tree, b_tree, &mut |rowid, fate| {
            if fate != Fate::Unsure && depth < Depth::Values {
                *count_of(found, fate) += 1;
                return Ok(());
            }
            let (one, other) = match &mut lookups {
                Some(lookups) => lookups,
                none => none.insert((lookup(a, a_source)?, lookup(b, b_source)?)),
            };
            let before = (fate != Fate::Added).then(|| one.row(rowid)).transpose()?;
            let after = (fate != Fate::Removed).then(|| other.row(rowid)).transpose()?;
            if before == after {
                return Ok(());
            }
            *count_of(found, fate) += 1;
            if depth < Depth::Values {
                return Ok(());
            }
            let key = [Value::Integer(rowid)];
            sink(&Row {
                table: &pair.b.table.name,
                key_columns: &[b_source.key[0].shown.clone()],
                key: &key,
                columns: &b_source.shown,
                before: before.as_deref(),
                after: after.as_deref(),
            });
            Ok(())
        })
    }

    fn by_rows(&mut self, pair: Pair<'_>, depth: Depth, found: &mut TableDifference) -> Result<()> {
        let (a, b) = (pair.a.source, pair.b.source);
        let (a_columns, b_columns) = b.shared_first(a);
        let (n_key, n_shared) = (b.key.len(), b.n_shared_with(a));
        let is_partial = n_shared < a.columns.len().max(b.columns.len());
        let sink = &mut *self.sink;
        let sides = SideBySide {
            a: a.select(self.a.connection, &a_columns.names)?,
            b: b.select(self.b.connection, &b_columns.names)?,
            key: &b.key,
        };
        sides.each_difference(n_key + n_shared, &mut |fate, before, after| {
            *count_of(found, fate) += 1;
            if depth < Depth::Values {
                return Ok(());
            }
            // A row that only one state has is shown whole.
            let (columns, n_columns) = match fate {
                Fate::Removed => (&a_columns.shown, a_columns.names.len()),
                Fate::Added => (&b_columns.shown, b_columns.names.len()),
                Fate::Changed | Fate::Unsure => (&b_columns.shown, n_shared),
            };
            let values = |row: Option<SelectedRow<'_>>, columns: Range<usize>| {
                row.map(|row| row.values(columns)).transpose()
            };
            let key = values(before.or(after), 0..n_key)?;
            let before = values(before, n_key..n_key + n_columns)?;
            let after = values(after, n_key..n_key + n_columns)?;
            sink(&Row {
                table: &pair.b.table.name,
                key_columns: &b.key_columns(),
                key: &key.unwrap_or_default(),
                columns: columns.get(..n_columns).unwrap_or_default(),
                before: before.as_deref(),
                after: after.as_deref(),
            });
            Ok(())
        })?;
        if is_partial {
            found.notes.push("rows compared by the columns that both have".to_owned());
        }
        Ok(())
    }
}

fn is_virtual(table: &Table) -> bool {
    matches!(table.storage, Storage::Virtual(_))
}

/// Hands over every row of a table.
fn all_rows(
    connection: &Connection,
    located: Located<'_>,
    fate: Fate,
    sink: Sink<'_>,
) -> Result<()> {
    let Located { table, source } = located;
    let key_columns = source.key_columns();
    let (n_key, n_all) = (source.key.len(), source.key.len() + source.columns.len());
    rows::each_row(connection, source, &mut |row| {
        let key = row.values(0..n_key)?;
        let values = row.values(n_key..n_all)?;
        let (before, after) = match fate {
            Fate::Added => (None, Some(values.as_slice())),
            _ => (Some(values.as_slice()), None),
        };
        let (key_columns, columns) = (key_columns.as_slice(), source.shown.as_slice());
        sink(&Row { table: &table.name, key_columns, key: &key, columns, before, after });
        Ok(())
    })
}

fn count_of(found: &mut TableDifference, fate: Fate) -> &mut u64 {
    match fate {
        Fate::Added => &mut found.added,
        Fate::Removed => &mut found.removed,
        Fate::Changed | Fate::Unsure => &mut found.changed,
    }
}

fn is_same_key(a: &[Key], b: &[Key]) -> bool {
    let is_same = |a: &Key, b: &Key| {
        // Rowids are rowids, whatever column has their name.
        let are_rowids = a.collation.is_empty() && b.collation.is_empty();
        are_rowids
            || a.column.eq_ignore_ascii_case(&b.column)
                && a.collation.eq_ignore_ascii_case(&b.collation)
                && a.descending == b.descending
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
}

/// Whether an error ends the whole comparison: a refusal, the user's interrupt, a full disk or a
/// lock.
pub(crate) fn is_fatal(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refusal>().is_some()
        || matches!(trouble::trouble(error), Trouble::Interrupted | Trouble::Full | Trouble::Busy)
}
