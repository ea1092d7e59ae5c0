//! Rows that refer to missing ones through references that only the configuration declares.
//! SQLite's own check does not know these.

use anyhow::Result;
use rusqlite::Connection;

use crate::rows::merge::keys::{self, Reference};
use crate::sqlite::connection::quoted;
use crate::sqlite::declared_references::Resolved;
use crate::sqlite::foreign_keys::Orphans;
use crate::sqlite::schema::{Schema, Storage};

/// Adds them to those that SQLite found.
///
/// # Errors
///
/// If SQLite cannot read.
pub(super) fn add_to(
    orphans: &mut Orphans,
    connection: &Connection,
    declared: &Resolved,
    schema: &Schema,
) -> Result<()> {
    for (number, declared) in (1_i64..).zip(&declared.references) {
        let (Some(child), Some(parent)) =
            (schema.tables.get(&declared.child), schema.tables.get(&declared.parent))
        else {
            continue;
        };
        let reference = Reference::from(declared.clone());
        let rowid = match child.storage {
            Storage::Rowid => child.rowid_name(),
            Storage::WithoutRowid | Storage::Virtual(_) => None,
        };
        let mut statement = connection.prepare(&format!(
            "SELECT {} FROM main.{} AS t WHERE {} AND NOT EXISTS (
               SELECT 1 FROM main.{} AS p WHERE p.{} COLLATE {} = +t.{})",
            rowid.map_or_else(|| "NULL".to_owned(), |name| format!("t.{}", quoted(&name))),
            quoted(&child.name),
            reference.applies("t"),
            quoted(&parent.name),
            quoted(&declared.to),
            keys::collation(parent, &declared.to),
            quoted(&declared.from),
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (from, to) = (child.name.clone(), parent.name.clone());
            *orphans.entry((from, to, -number, row.get(0)?)).or_default() += 1;
        }
    }
    Ok(())
}
