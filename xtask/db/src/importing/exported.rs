//! Our own exports into a scratch database.

use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, params_from_iter};
use xtask_db_format::{Cell, Reader, Rows, TableHead, Value};

use crate::database::{self, quoted};
use crate::importing::{Kind, Loaded, Loading};
use crate::schema::COUNTERS;

/// Loads an export.
///
/// # Errors
///
/// As [`super::load`].
pub(super) fn load(
    (file, kind): (&Path, Kind),
    loading: &Loading<'_>,
    _reach: &mut dyn FnMut(u64),
) -> Result<Loaded> {
    ensure!(kind == Kind::Jsonl, "only JSONL can be imported yet");
    let mut reader = Reader::open(BufReader::new(fs_err::File::open(file)?))?;
    let connection = database::open_scratch(loading.scratch)?;
    let _watched = loading.interrupt.watch(&connection);
    let header = reader.header().clone();
    let encoding = loading.encoding.unwrap_or(&header.encoding);
    connection.execute_batch(&format!("PRAGMA encoding = \"{encoding}\"; BEGIN"))?;
    for table in &header.tables {
        if let Some(sql) = &table.sql {
            connection.execute_batch(sql)?;
        }
        if table.name == COUNTERS {
            connection.execute_batch("DELETE FROM sqlite_sequence")?;
        }
    }
    let inserts: Vec<String> = header.tables.iter().map(insert).collect();
    let mut values = Vec::new();
    while let Some(at) = reader.next(&mut values)? {
        let mut statement = connection.prepare_cached(&inserts[at])?;
        statement
            .execute(params_from_iter(values.iter().map(bound)))
            .with_context(|| format!("line {}", reader.line_number()))?;
    }
    finish(&connection, &header)?;
    let absent = header.tables.iter().filter(|table| table.rows == Rows::LeftOut);
    Ok(Loaded {
        absent: absent.map(|table| table.name.to_ascii_lowercase()).collect(),
        remarks: Vec::new(),
    })
}

fn insert(table: &TableHead) -> String {
    let columns: Vec<String> = table.members().map(quoted).collect();
    let marks = vec!["?"; columns.len()].join(", ");
    format!("INSERT INTO {} ({}) VALUES ({marks})", quoted(&table.name), columns.join(", "))
}

fn bound(value: &Value) -> ToSqlOutput<'_> {
    use rusqlite::types::ValueRef;
    ToSqlOutput::Borrowed(match value.as_cell() {
        Cell::Null => ValueRef::Null,
        Cell::Integer(integer) => ValueRef::Integer(integer),
        Cell::Real(real) => ValueRef::Real(real),
        Cell::Text(text) => ValueRef::Text(text.as_bytes()),
        Cell::OddText(bytes) => ValueRef::Text(bytes),
        Cell::Blob(bytes) => ValueRef::Blob(bytes),
    })
}

fn finish(connection: &Connection, header: &xtask_db_format::Header) -> Result<()> {
    for one in header.indexes.iter().chain(&header.views).chain(&header.triggers) {
        connection.execute_batch(&one.sql)?;
    }
    connection.execute_batch(&format!(
        "PRAGMA user_version = {}; PRAGMA application_id = {}; COMMIT",
        header.user_version, header.application_id
    ))?;
    Ok(())
}
