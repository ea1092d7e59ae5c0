//! `references`: what columns refer to without a foreign key.

use std::collections::BTreeMap;

use anyhow::Result;
use toml::Value;

use crate::host::configuration::strict_table::Section;
use crate::sqlite::declared_references::{References, Referent};

const WANTED: &str = "a table in quotes, `false`, or `{ by = \"COLUMN\", VALUE = \"TABLE\" }`";

/// Reads `references` of one database.
///
/// # Errors
///
/// If it has another form.
pub(super) fn read(section: &mut Section) -> Result<References> {
    let mut references = References::new();
    let Some(mut tables) = section.section("references")? else { return Ok(references) };
    for table in tables.keys() {
        let Some(mut columns) = tables.section(&table)? else { continue };
        let mut all = BTreeMap::new();
        for column in columns.keys() {
            if let Some(referent) = referent(&mut columns, &column)? {
                all.insert(column, referent);
            }
        }
        references.insert(table, all);
    }
    Ok(references)
}

fn referent(columns: &mut Section, column: &str) -> Result<Option<Referent>> {
    Ok(match columns.take(column) {
        None => None,
        Some(Value::String(table)) => Some(Referent::Table(table)),
        Some(Value::Boolean(false)) => Some(Referent::Nothing),
        Some(Value::Table(mut tables)) => {
            let Some(Value::String(by)) = tables.remove("by") else {
                return Err(columns.wrong(column, WANTED));
            };
            let tables = tables.into_iter().map(|(value, table)| match table {
                Value::String(table) => Ok((value, Some(table))),
                Value::Boolean(false) => Ok((value, None)),
                _ => Err(columns.wrong(column, WANTED)),
            });
            Some(Referent::By { column: by, tables: tables.collect::<Result<_>>()? })
        }
        Some(_) => return Err(columns.wrong(column, WANTED)),
    })
}
