//! Names the rows of a scratch database that refer to missing ones, so that they can be found in
//! the file.

use std::collections::BTreeMap;

use anyhow::Result;
use rusqlite::{Connection, Row};

use crate::console::text;
use crate::sqlite::connection::quoted;
use crate::sqlite::foreign_keys;
use crate::sqlite::schema::{Schema, Table};

/// Rows that are named; more are counted.
pub(super) const MAX_NAMED: usize = 20;

/// Characters of a value that are shown.
const SHOWN: usize = 60;

/// Rows that refer to missing ones.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    /// The first of them, in words.
    pub named: Vec<String>,
    /// How many there are.
    pub n: u64,
    /// The reasons why tables could not be checked.
    pub unchecked: Vec<String>,
}

/// A foreign key.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct ForeignKey {
    /// The name of its table.
    table: String,
    /// Its number there.
    number: i64,
}

/// Finds them.
///
/// # Errors
///
/// If SQLite refuses, or at the user's interrupt.
pub(super) fn of(connection: &Connection, schema: &Schema) -> Result<Orphans> {
    let mut found = Orphans::default();
    // SQLite does not report which rows of a table without rowids it means.
    let mut by_key = BTreeMap::<ForeignKey, String>::new();
    let unchecked = foreign_keys::each(connection, &mut |row| {
        found.n += 1;
        if found.named.len() < MAX_NAMED {
            let (table, rowid): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
            let (parent, number): (String, i64) = (row.get(2)?, row.get(3)?);
            let key = ForeignKey { table, number };
            let Some(rowid) = rowid else {
                by_key.insert(key, parent);
                return Ok(());
            };
            let reference = key.reference(connection, schema, rowid)?;
            found.named.push(says(&format!("row {rowid}"), &key.table, &parent, &reference));
        }
        Ok(())
    })?;
    found.unchecked = unchecked.iter().map(|said| foreign_keys::unchecked(said)).collect();
    for (key, parent) in &by_key {
        let n_left = MAX_NAMED - found.named.len();
        let link = Link::of(connection, schema, key, parent)?;
        found.named.extend(link.named(connection, n_left)?);
    }
    Ok(found)
}

fn says(which: &str, table: &str, parent: &str, reference: &str) -> String {
    let (table, parent) = (text::plain(table), text::plain(parent));
    format!("{which} of `{table}` refers to a row of `{parent}` that is not there: {reference}")
}

impl ForeignKey {
    /// The reference of a row, e.g. `message = 999`.
    fn reference(&self, connection: &Connection, schema: &Schema, rowid: i64) -> Result<String> {
        let columns: Vec<String> =
            self.columns(connection)?.into_iter().map(|(from, _)| from).collect();
        let name = schema.table(&self.table).and_then(Table::rowid_name);
        let Some(name) = name else { return Ok(columns.join(", ")) };
        let shown: Vec<String> = columns.iter().map(|column| shown("c", column)).collect();
        let question = format!(
            "SELECT {} FROM main.{} AS c WHERE c.{} = ?1",
            shown.join(", "),
            quoted(&self.table),
            quoted(&name)
        );
        Ok(connection.query_row(&question, [rowid], |row| said(row, 0, &columns))?)
    }

    /// The columns that refer, and those that they refer to if the declaration names them.
    fn columns(&self, connection: &Connection) -> Result<Vec<(String, Option<String>)>> {
        let question =
            "SELECT \"from\", \"to\" FROM pragma_foreign_key_list(?1) WHERE id = ?2 ORDER BY seq";
        let mut statement = connection.prepare(question)?;
        let columns = statement
            .query_map((&self.table, self.number), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(columns.collect::<rusqlite::Result<_>>()?)
    }
}

/// The expression of a value as it is shown, whatever its bytes.
fn shown(row: &str, column: &str) -> String {
    format!("substr(quote({row}.{}), 1, {SHOWN})", quoted(column))
}

/// Some values of a row, e.g. `a = 1, b = 'x'`.
fn said(row: &Row<'_>, from: usize, columns: &[String]) -> rusqlite::Result<String> {
    let mut said = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let value = String::from_utf8_lossy(row.get_ref(from + at)?.as_bytes()?).into_owned();
        said.push(format!("{} = {}", text::plain(column), text::plain(&value)));
    }
    Ok(said.join(", "))
}

/// A foreign key of a table without rowids.
struct Link<'s> {
    table: &'s Table,
    key: Vec<String>,
    columns: Vec<(String, String)>,
    /// The parent, and whether it exists.
    parent: (&'s str, bool),
}

impl<'s> Link<'s> {
    fn of(
        connection: &Connection,
        schema: &'s Schema,
        foreign_key: &ForeignKey,
        parent: &'s str,
    ) -> Result<Self> {
        let name = &foreign_key.table;
        let table = schema.table(name).ok_or_else(|| anyhow::anyhow!("no table `{name}`"))?;
        let there = schema.table(parent);
        let key = there.map(Table::primary_key).unwrap_or_default();
        let columns = foreign_key.columns(connection)?.into_iter().enumerate();
        let columns = columns.map(|(at, (from, to))| {
            let to = to.or_else(|| key.get(at).cloned()).unwrap_or_default();
            (from, to)
        });
        let columns = columns.collect();
        Ok(Self { table, key: table.primary_key(), columns, parent: (parent, there.is_some()) })
    }

    /// At most this many of its rows that refer to nothing, in words.
    fn named(&self, connection: &Connection, most: usize) -> Result<Vec<String>> {
        let (parent, is_there) = self.parent;
        let from: Vec<String> = self.columns.iter().map(|(from, _)| from.clone()).collect();
        let mut conditions: Vec<String> =
            from.iter().map(|from| format!("c.{} IS NOT NULL", quoted(from))).collect();
        if is_there {
            // The plus takes the child's affinity away: the parent's counts.
            let equal = self.columns.iter();
            let equal = equal.map(|(from, to)| format!("p.{} = +c.{}", quoted(to), quoted(from)));
            conditions.push(format!(
                "NOT EXISTS (SELECT 1 FROM main.{} AS p WHERE {})",
                quoted(parent),
                equal.collect::<Vec<_>>().join(" AND ")
            ));
        }
        let shown = self.key.iter().chain(&from).map(|column| shown("c", column));
        let question = format!(
            "SELECT {} FROM main.{} AS c WHERE {} LIMIT {most}",
            shown.collect::<Vec<_>>().join(", "),
            quoted(&self.table.name),
            conditions.join(" AND ")
        );
        let mut statement = connection.prepare(&question)?;
        let mut rows = statement.query([])?;
        let mut named = Vec::new();
        while let Some(row) = rows.next()? {
            let (which, reference) = (said(row, 0, &self.key)?, said(row, self.key.len(), &from)?);
            let which = format!("row {which}");
            named.push(says(&which, &self.table.name, parent, &reference));
        }
        Ok(named)
    }
}
