//! The keys and references of one table, as a database declares them.

use std::collections::BTreeMap;

use anyhow::Result;
use rusqlite::Connection;

use crate::sqlite::connection::quoted;
use crate::sqlite::declared_references::{self, Declared, Only};
use crate::sqlite::schema::{Nature, Storage, Table};

/// Columns that no two rows share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// Their names as the table has them.
    pub columns: Vec<String>,
    /// The collation under which they are compared, one each.
    pub collations: Vec<String>,
    /// Source of the key.
    pub by: By,
}

/// The source of the claim that no two rows share a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The configuration; the database does not enforce it.
    Configuration,
    /// PRIMARY KEY.
    Primary,
    /// UNIQUE.
    Unique,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// The columns that refer.
    pub from: Vec<String>,
    /// The table that they refer to, in lower case.
    pub parent: String,
    /// The columns there.
    pub to: Vec<String>,
    /// Whether it comes from the configuration only.
    pub is_declared: bool,
    /// The rows that it is about; all of them if there is no condition.
    pub only: Option<Only>,
}

impl Reference {
    /// The condition that a row here, with this alias, refers to anything.
    #[must_use]
    pub(super) fn applies(&self, alias: &str) -> String {
        let columns = self.from.iter().zip(&self.to);
        let refers = columns.map(|(from, to)| {
            let from = format!("{alias}.{}", quoted(from));
            if self.is_declared {
                let parent = format!("main.{}", quoted(&self.parent));
                declared_references::refers(&from, &parent, &quoted(to))
            } else {
                format!("{from} IS NOT NULL")
            }
        });
        let only = self.only.iter();
        let only = only.map(|only| only.is(&format!("{alias}.{}", quoted(&only.column))));
        refers.chain(only).collect::<Vec<_>>().join(" AND ")
    }
}

impl From<Declared> for Reference {
    fn from(declared: Declared) -> Self {
        let Declared { from, parent, to, only, .. } = declared;
        Self { from: vec![from], parent, to: vec![to], is_declared: true, only }
    }
}

/// The keys of a table: the primary one first, then in the order in which they were declared. What
/// is only about some rows or about expressions is not a key here.
///
/// # Errors
///
/// If the schema cannot be read.
pub(super) fn of(connection: &Connection, table: &Table) -> Result<Vec<Key>> {
    let mut keys = Vec::new();
    if let Some(number) = number(table)
        && table.storage == Storage::Rowid
        && table.rowid_column().is_some()
    {
        let columns = vec![number.to_owned()];
        keys.push(Key { columns, collations: vec!["BINARY".to_owned()], by: By::Primary });
    }
    for (index, origin) in unique_indexes(connection, table)? {
        let by = if origin == "pk" { By::Primary } else { By::Unique };
        keys.extend(of_index(connection, table, &index, by)?);
    }
    Ok(keys)
}

/// Names and origins of the unique indexes of a table, that of the primary key first.
fn unique_indexes(connection: &Connection, table: &Table) -> Result<Vec<(String, String)>> {
    let list = "SELECT l.name, l.origin FROM pragma_index_list(?1) AS l";
    let unique = "WHERE l.\"unique\" AND NOT l.partial";
    let read = |question: &str| -> Result<Vec<(String, String)>> {
        let mut statement = connection.prepare(question)?;
        let rows = statement.query_map([&table.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    };
    let indexes = read(&format!("{list} {unique}"))?;
    if indexes.len() < 2 {
        return Ok(indexes);
    }
    // Each has its place in the schema, which is read whole to find it; the list itself puts those that
    // replace rows behind the others.
    read(&format!(
        "{list} LEFT JOIN main.sqlite_schema AS s ON s.type = 'index' AND s.name = l.name
         {unique} ORDER BY l.origin <> 'pk', s.rowid"
    ))
}

fn of_index(connection: &Connection, table: &Table, index: &str, by: By) -> Result<Option<Key>> {
    let question = "SELECT name, coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno";
    let mut statement = connection.prepare(question)?;
    let mut rows = statement.query([index])?;
    let mut key = Key { columns: Vec::new(), collations: Vec::new(), by };
    while let Some(row) = rows.next()? {
        let name: Option<String> = row.get(0)?;
        let Some(column) = name.as_deref().and_then(|name| ordinary(table, name)) else {
            return Ok(None);
        };
        key.columns.push(column.to_owned());
        key.collations.push(row.get::<_, Option<String>>(1)?.unwrap_or("BINARY".to_owned()));
    }
    Ok(Some(key))
}

/// The ordinary column of a name, as the table writes it.
#[must_use]
pub(super) fn ordinary<'t>(table: &'t Table, name: &str) -> Option<&'t str> {
    let column = table.column(name).filter(|column| column.nature == Nature::Ordinary);
    column.map(|column| column.name.as_str())
}

/// The single INTEGER PRIMARY KEY: a number that another database gives to another row.
#[must_use]
pub(super) fn number(table: &Table) -> Option<&str> {
    let mut key = table.columns.iter().filter(|column| column.key_position > 0);
    match (key.next(), key.next()) {
        (Some(column), None) if column.declared_type.eq_ignore_ascii_case("integer") => {
            Some(&column.name)
        }
        _ => None,
    }
}

/// The foreign keys of a table, in the order in which they were declared; those to tables that are
/// not in `parents` left out, and those that name columns which neither has.
///
/// # Errors
///
/// If the schema cannot be read.
pub(super) fn references(
    connection: &Connection,
    table: &str,
    parents: &BTreeMap<String, Table>,
) -> Result<Vec<Reference>> {
    let mut statement = connection.prepare(
        "SELECT id, lower(\"table\"), \"from\", \"to\" FROM pragma_foreign_key_list(?1)
         ORDER BY id DESC, seq",
    )?;
    let mut rows = statement.query([table])?;
    let mut found: Vec<(i64, Reference)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, parent): (i64, String) = (row.get(0)?, row.get(1)?);
        if found.last().is_none_or(|(last, _)| *last != id) {
            let (from, to) = (Vec::new(), Vec::new());
            found.push((id, Reference { from, parent, to, is_declared: false, only: None }));
        }
        if let Some((_, reference)) = found.last_mut() {
            reference.from.push(row.get(2)?);
            reference.to.extend(row.get::<_, Option<String>>(3)?);
        }
    }
    let fitting = found.into_iter().filter_map(|(_, mut reference)| {
        let parent = parents.get(&reference.parent)?;
        if reference.to.is_empty() {
            reference.to = parent.primary_key();
        }
        reference.to = reference
            .to
            .iter()
            .map(|to| Some(ordinary(parent, to)?.to_owned()))
            .collect::<Option<_>>()?;
        (reference.to.len() == reference.from.len()).then_some(reference)
    });
    Ok(fitting.collect())
}

/// The collation that a column declares, of those that SQLite itself has.
#[must_use]
pub(super) fn collation(table: &Table, column: &str) -> String {
    let definition = table.column(column).map_or("", |column| column.definition.as_str());
    let mut depth = 0_usize;
    // Words in parentheses belong to a CHECK or a default.
    let mut words = definition.split(' ').skip_while(|word| {
        depth += word.matches('(').count();
        depth = depth.saturating_sub(word.matches(')').count());
        depth > 0 || *word != "collate"
    });
    let name = words.nth(1).unwrap_or("binary").trim_matches('"').to_ascii_uppercase();
    let is_known = ["NOCASE", "RTRIM"].contains(&name.as_str());
    if is_known { name } else { "BINARY".to_owned() }
}
