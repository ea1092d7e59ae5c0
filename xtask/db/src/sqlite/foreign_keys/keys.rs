//! The foreign keys of one table, one by one: SQLite checks none of them if one declaration fits nothing.

use anyhow::Result;
use rusqlite::{Connection, Row};

use crate::sqlite::connection::quoted;

/// One foreign key of a table.
struct Key {
    /// Its number in the table.
    id: i64,
    /// The table it refers to, as the declaration names it.
    parent: String,
    /// The columns that refer, and those that they refer to if the declaration names them.
    columns: Vec<(String, Option<String>)>,
}

/// Passes on a row for each reference of a table that leads nowhere: child, rowid, parent, number
/// of the foreign key. Returns the parents of the declarations that match no key.
///
/// # Errors
///
/// If SQLite refuses, or as `each`.
pub(super) fn each(
    connection: &Connection,
    table: &str,
    each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
) -> Result<Vec<String>> {
    let mut unfit = Vec::new();
    for key in of(connection, table)? {
        let Some(to) = fitting(connection, &key)? else {
            unfit.push(key.parent);
            continue;
        };
        let mut statement = connection.prepare(&question(connection, table, &key, &to)?)?;
        let mut rows = statement.query((table, &key.parent, key.id))?;
        while let Some(row) = rows.next()? {
            each(row)?;
        }
    }
    Ok(unfit)
}

fn of(connection: &Connection, table: &str) -> Result<Vec<Key>> {
    let question = "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1)
         ORDER BY id, seq";
    let mut statement = connection.prepare(question)?;
    let mut rows = statement.query([table])?;
    let mut keys: Vec<Key> = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, column) = (row.get(0)?, (row.get(2)?, row.get(3)?));
        match keys.last_mut().filter(|key| key.id == id) {
            Some(key) => key.columns.push(column),
            None => keys.push(Key { id, parent: row.get(1)?, columns: vec![column] }),
        }
    }
    Ok(keys)
}

/// The columns of the parent that a key refers to, if they are a key there
/// (<https://sqlite.org/foreignkeys.html#fk_indexes>); any if there is no such table.
fn fitting(connection: &Connection, key: &Key) -> Result<Option<Vec<String>>> {
    let primary = texts(
        connection,
        "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk",
        &key.parent,
    )?;
    let named: Option<Vec<String>> = key.columns.iter().map(|(_, to)| to.clone()).collect();
    let to = named.unwrap_or_else(|| primary.clone());
    let columns = texts(connection, "SELECT name FROM pragma_table_info(?1)", &key.parent)?;
    if columns.is_empty() {
        return Ok(Some(to));
    }
    if to.len() != key.columns.len() {
        return Ok(None);
    }
    if is_same(&primary, &to) {
        return Ok(Some(to));
    }
    let indexes = texts(
        connection,
        "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" AND NOT partial",
        &key.parent,
    )?;
    for index in indexes {
        if is_same(&texts(connection, "SELECT name FROM pragma_index_info(?1)", &index)?, &to) {
            return Ok(Some(to));
        }
    }
    Ok(None)
}

/// The first column of a question's rows; of an expression, the empty name.
fn texts(connection: &Connection, question: &str, about: &str) -> Result<Vec<String>> {
    let mut statement = connection.prepare(question)?;
    let texts = statement.query_map([about], |row| row.get::<_, Option<String>>(0))?;
    Ok(texts.map(|text| Ok(text?.unwrap_or_default())).collect::<rusqlite::Result<_>>()?)
}

fn is_same(one: &[String], other: &[String]) -> bool {
    let sorted = |names: &[String]| {
        let mut names: Vec<_> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        names.sort();
        names
    };
    sorted(one) == sorted(other)
}

/// The statement that finds the references that lead nowhere.
fn question(connection: &Connection, table: &str, key: &Key, to: &[String]) -> Result<String> {
    let known = texts(connection, "SELECT name FROM pragma_table_info(?1)", &key.parent)?;
    let from = key.columns.iter().map(|(from, _)| quoted(from));
    let mut conditions: Vec<_> = from.clone().map(|from| format!("c.{from} IS NOT NULL")).collect();
    if !known.is_empty() {
        // The plus takes the child's affinity away: the parent's counts.
        let equal = from.zip(to).map(|(from, to)| format!("p.{} = +c.{from}", quoted(to)));
        conditions.push(format!(
            "NOT EXISTS (SELECT 1 FROM main.{} AS p WHERE {})",
            quoted(&key.parent),
            equal.collect::<Vec<_>>().join(" AND ")
        ));
    }
    Ok(format!(
        "SELECT ?1, {}, ?2, ?3 FROM main.{} AS c WHERE {}",
        rowid(connection, table)?,
        quoted(table),
        conditions.join(" AND ")
    ))
}

/// The expression of a row's number; NULL if the table has none, or no name for it.
fn rowid(connection: &Connection, table: &str) -> Result<&'static str> {
    // Only the key of a table WITHOUT ROWID answers to the table's own name. The list of all tables
    // would tell it too, but is as long as the schema.
    let question = "SELECT 1 FROM pragma_index_info(?1, 'main')";
    if connection.prepare(question)?.exists([table])? {
        return Ok("NULL");
    }
    let columns = texts(connection, "SELECT name FROM pragma_table_xinfo(?1)", table)?;
    let is_free = |name: &&&str| !columns.iter().any(|column| column.eq_ignore_ascii_case(name));
    Ok(["rowid", "_rowid_", "oid"].iter().find(is_free).map_or("NULL", |name| match *name {
        "rowid" => "c.rowid",
        "_rowid_" => "c._rowid_",
        _ => "c.oid",
    }))
}
