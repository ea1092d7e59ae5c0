//! The schema of a PostgreSQL database in the form in which two states are compared and reported.

use std::collections::BTreeMap;

use crate::postgres::catalogue::{self, Catalogue};
use crate::postgres::definitions::Name;
use crate::sqlite::schema::{Column, Entry, Nature, Schema, Storage, Table};

/// The schema of a catalogue.
pub(super) fn of(catalogue: &Catalogue, others: BTreeMap<Name, String>) -> Schema {
    let tables =
        catalogue.tables.iter().map(|table| (table.name.to_ascii_lowercase(), self::table(table)));
    Schema {
        tables: tables.collect(),
        indexes: entries(&catalogue.indexes),
        views: entries(&catalogue.views),
        triggers: entries(&catalogue.triggers),
        others,
        settings: BTreeMap::new(),
    }
}

fn table(table: &catalogue::Table) -> Table {
    let columns = table.columns.iter().map(|column| {
        let place = table.key.iter().position(|place| *place == column.place);
        Column {
            name: column.name.clone(),
            declared_type: column.declared_type.clone(),
            not_null: column.not_null,
            default: column.expression.clone(),
            key_position: place.and_then(|at| u32::try_from(at + 1).ok()).unwrap_or(0),
            nature: if column.is_computed { Nature::GeneratedStored } else { Nature::Ordinary },
            definition: format!("{} {}", column.declared_type, column.rest).trim_end().to_owned(),
        }
    });
    Table {
        name: table.name.clone(),
        sql: format!("table {}", table.name),
        root_page: 0,
        storage: Storage::Rowid,
        columns: columns.collect(),
        constraints: table.constraints.clone(),
        shadows: Vec::new(),
    }
}

/// An index or a trigger has a name of its own only within its schema or its table.
fn entries(entries: &[catalogue::Entry]) -> BTreeMap<String, Entry> {
    let entry = |entry: &catalogue::Entry| {
        let catalogue::Entry { name, table, sql } = entry.clone();
        (format!("{table} {name}").to_ascii_lowercase(), Entry { name, table, sql })
    };
    entries.iter().map(entry).collect()
}
