//! Single statements of a script, and whether they are needed.

use std::collections::BTreeMap;

use anyhow::Result;
use rusqlite::Connection;

use crate::console::text;
use crate::rows::diff::Row;
use crate::sqlite::connection::quoted;
use crate::sqlite::schema::{COUNTERS, Entry, Schema, Storage, Table};
use crate::sqlite::value::Value;

/// Whether a value of a table must be unique beside its key.
///
/// # Errors
///
/// If its indexes cannot be read.
pub(super) fn has_unique(connection: &Connection, table: &Table) -> Result<bool> {
    let beside_key = match table.storage {
        Storage::Virtual(_) => return Ok(false),
        // The primary key of such a table is an index like any other.
        Storage::Rowid => "",
        Storage::WithoutRowid => "AND origin <> 'pk'",
    };
    let question =
        format!("SELECT count(*) FROM pragma_index_list(?1) WHERE \"unique\" {beside_key}");
    Ok(connection.query_row(&question, [&table.name], |row| row.get::<_, i64>(0))? > 0)
}

/// AUTOINCREMENT's counters.
///
/// # Errors
///
/// If they cannot be read.
pub(super) fn counters(connection: &Connection) -> Result<Vec<(String, Value)>> {
    let question = "SELECT count(*) FROM sqlite_schema WHERE name = ?1";
    if connection.query_row(question, [COUNTERS], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(Vec::new());
    }
    let question = format!("SELECT name, seq FROM {COUNTERS} WHERE name IS NOT NULL ORDER BY name");
    let mut statement = connection.prepare(&question)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get_ref(1)?.into())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether a table of the second state is created: it is new, or defined in another way now.
pub(super) fn is_created(old: &Schema, key: &str, table: &Table) -> bool {
    old.tables.get(key).is_none_or(|before| before.is_defined_otherwise(table))
}

/// The entries that another state does not have, or not in this way.
pub(super) fn gone<'e>(
    entries: impl Iterator<Item = &'e Entry>,
    other: &BTreeMap<String, Entry>,
) -> impl Iterator<Item = &'e Entry> {
    entries.filter(|entry| {
        let there = other.get(&entry.name.to_ascii_lowercase());
        there.is_none_or(|there| entry.is_defined_otherwise(there))
    })
}

/// Text fit for a comment of one line.
pub(super) fn comment(text: &str) -> String {
    text::plain(text)
}

/// Updates the columns that differ.
pub(super) fn update(row: &Row<'_>, before: &[Value], after: &[Value]) -> String {
    let columns = row.columns.iter().zip(before.iter().zip(after));
    let set = columns.filter(|(_, (before, after))| before != after);
    let set = set.map(|(column, (_, after))| format!("{}={}", quoted(column), after.literal()));
    let set = set.collect::<Vec<_>>().join(", ");
    format!("UPDATE {} SET {set} WHERE {};", quoted(row.table), condition(row))
}

/// A condition that only one row of the first state fulfils; texts are compared byte by byte,
/// whatever the collation.
pub(super) fn condition(row: &Row<'_>) -> String {
    let parts = row.key_columns.iter().zip(row.key).map(|(column, value)| {
        let binary = if matches!(value, Value::Text(_)) { " COLLATE BINARY" } else { "" };
        format!("{}={}{binary}", quoted(column), value.literal())
    });
    parts.collect::<Vec<_>>().join(" AND ")
}

/// The columns to insert and their values; a rowid that is not a column comes first.
pub(super) fn columns_and_values(row: &Row<'_>, values: &[Value]) -> (String, String) {
    let hidden =
        row.key_columns.iter().zip(row.key).filter(|(column, _)| {
            !row.columns.iter().any(|other| other.eq_ignore_ascii_case(column))
        });
    let all: Vec<(&String, &Value)> = hidden.chain(row.columns.iter().zip(values)).collect();
    let columns: Vec<String> = all.iter().map(|(column, _)| quoted(column)).collect();
    let values: Vec<String> = all.iter().map(|(_, value)| value.literal()).collect();
    (columns.join(", "), values.join(", "))
}
