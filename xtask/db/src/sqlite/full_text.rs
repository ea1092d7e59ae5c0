//! Full-text indexes over the rows of other tables, which SQLite does not rebuild by itself.

use anyhow::{Context, Result};
use rusqlite::Connection;

use crate::sqlite::connection::quoted;

/// Rebuilds full-text indexes of the restored tables.
pub(crate) fn rebuild_indexes(connection: &Connection, tables: &[String]) -> Result<()> {
    let mut statement = connection.prepare(
        "SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' AND rootpage = 0",
    )?;
    let virtual_tables: Vec<(String, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (name, sql) in virtual_tables {
        if let Some(content) = external_content(&sql)
            && tables.iter().any(|table| table.eq_ignore_ascii_case(&content))
        {
            let name = quoted(&name);
            connection
                .execute_batch(&format!("INSERT INTO main.{name}({name}) VALUES ('rebuild')"))
                .with_context(|| format!("could not rebuild the full-text index {name}"))?;
        }
    }
    Ok(())
}

/// The table whose rows a full-text index covers, from its statement: `content='messages'`; empty
/// for an index without content.
#[must_use]
pub(crate) fn external_content(sql: &str) -> Option<String> {
    let lower = sql.to_ascii_lowercase();
    if !lower.contains("using fts") {
        return None;
    }
    let mut rest = lower.as_str();
    while let Some(at) = rest.find("content") {
        let after = rest[at + "content".len()..].trim_start();
        if let Some(value) = after.strip_prefix('=') {
            let value = value.trim_start();
            let quote = value.chars().next().filter(|c| "'\"`[".contains(*c));
            let value = quote.map_or(value, |_| &value[1..]);
            let end = value.find(|c: char| "'\"`],)".contains(c)).unwrap_or(value.len());
            return Some(value[..end].trim().to_owned());
        }
        rest = &rest[at + "content".len()..];
    }
    None
}
