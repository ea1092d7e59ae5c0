//! Proves that indexes lead to every row. The rows of a part are found through indexes: a damaged
//! one would leave rows out unnoticed.

use anyhow::Result;
use rusqlite::Connection;

use crate::console::text;
use crate::sqlite::connection::quoted;
use crate::sqlite::examination::finding::Damage;

/// Proves that the indexes of a table lead to as many rows as it has; partial indexes and those on
/// expressions are not checked.
///
/// # Errors
///
/// [`Damage`] if one does not, or if SQLite cannot read.
pub(super) fn prove(connection: &Connection, table: &str) -> Result<()> {
    // Only the key of a table WITHOUT ROWID answers to the table's own name.
    let question = "SELECT l.name FROM pragma_index_list(?1) AS l WHERE NOT l.partial
        AND NOT (l.origin = 'pk' AND EXISTS (SELECT 1 FROM pragma_index_info(?1, 'main')))
        AND NOT EXISTS (SELECT 1 FROM pragma_index_info(l.name) WHERE name IS NULL)";
    let mut statement = connection.prepare(question)?;
    let names = statement.query_map([table], |row| row.get(0))?;
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
    if names.is_empty() {
        return Ok(());
    }
    // A sum uses the index that it is given; a count would choose one itself.
    let sum = |by: &str| -> Result<i64> {
        let question = format!("SELECT coalesce(sum(1), 0) FROM main.{} {by}", quoted(table));
        Ok(connection.query_row(&question, [], |row| row.get(0))?)
    };
    let n_rows = sum("NOT INDEXED")?;
    for name in names {
        let n_led_to = sum(&format!("INDEXED BY {}", quoted(&name)))?;
        if n_led_to != n_rows {
            return Err(Damage::new(format!(
                "the index `{name}` of `{table}` leads to {}, but there are {}",
                text::count(n_led_to.unsigned_abs(), "row"),
                text::count(n_rows.unsigned_abs(), "row")
            ))
            .into());
        }
    }
    Ok(())
}
