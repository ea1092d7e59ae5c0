//! Writes the rows of records one by one into the only table of a scratch database.

use std::collections::HashMap;

use anyhow::{Result, bail};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use xtask_db_format::records::{Found, Record};

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::import::records::conversion::Takes;
use crate::rows::import::records::mapping::{Mapped, Mapping, Source};
use crate::sqlite::connection::quoted;

/// So much of a value is shown.
const SHOWN_CHARACTERS: usize = 60;
/// Under this name the rows wait where their table must be rebuilt.
const WAITING: &str = "xtask-db records";

/// Writes rows.
pub(super) struct Writer<'a> {
    connection: &'a Connection,
    mapping: &'a Mapping,
    /// The statement for each set of columns that a record has; the other columns get their
    /// defaults.
    statements: HashMap<Vec<bool>, String>,
    /// Columns for which any record had a value.
    seen: Vec<bool>,
    /// The first record without the number that others have.
    unnumbered: Option<String>,
}

/// The value of a record for a column.
enum Cell {
    Value(Value),
    /// Nothing: the column's default, or NULL.
    Missing,
}

impl<'a> Writer<'a> {
    /// Creates the table.
    ///
    /// # Errors
    ///
    /// As SQLite's.
    pub(super) fn begin(connection: &'a Connection, mapping: &'a Mapping) -> Result<Self> {
        connection.set_prepared_statement_cache_capacity(64);
        let writer = Self {
            connection,
            mapping,
            statements: HashMap::new(),
            seen: vec![false; mapping.columns.len()],
            unnumbered: None,
        };
        writer.create(&mapping.columns.iter().collect::<Vec<_>>())?;
        Ok(writer)
    }

    /// Writes a record as a row.
    ///
    /// # Errors
    ///
    /// If a value does not fit its column, or is missing; the message names the record.
    pub(super) fn row(&mut self, record: &Record<'_>) -> Result<()> {
        let mut present = Vec::with_capacity(self.seen.len());
        let mut values = Vec::with_capacity(self.seen.len());
        for (at, mapped) in self.mapping.columns.iter().enumerate() {
            match self.cell(at, mapped, record)? {
                Cell::Value(value) => {
                    values.push(value);
                    present.push(true);
                }
                Cell::Missing => present.push(false),
            }
        }
        if !self.statements.contains_key(&present) {
            let columns = self.mapping.columns.iter().zip(&present);
            let columns = columns.filter(|(_, is_present)| **is_present).map(|(mapped, _)| mapped);
            let sql = self.insert(&columns.collect::<Vec<_>>());
            self.statements.insert(present.clone(), sql);
        }
        let mut statement = self.connection.prepare_cached(&self.statements[&present])?;
        statement.execute(params_from_iter(&values))?;
        Ok(())
    }

    /// The fields that no record had.
    pub(super) fn unseen(&self) -> Vec<String> {
        let columns = self.mapping.columns.iter().zip(&self.seen);
        let unseen = columns.filter_map(|(mapped, is_seen)| match &mapped.source {
            Source::Field(field) if !is_seen => Some(field.to_string()),
            _ => None,
        });
        unseen.collect()
    }

    /// Whether no record had any of the fields that were to be used.
    pub(super) fn took_nothing(&self) -> bool {
        let columns = self.mapping.columns.iter().zip(&self.seen);
        let mut fields = columns.filter(|(mapped, _)| matches!(mapped.source, Source::Field(_)));
        fields.all(|(_, is_seen)| !is_seen)
    }

    /// Takes away the columns that no record had: a merge is to find them missing.
    ///
    /// # Errors
    ///
    /// If some records have a number and others none.
    pub(super) fn finish(&self) -> Result<()> {
        let columns = self.mapping.columns.iter().zip(&self.seen);
        let kept: Vec<&Mapped> = columns
            .filter(|(mapped, is_seen)| **is_seen || matches!(mapped.source, Source::Constant(_)))
            .map(|(mapped, _)| mapped)
            .collect();
        if let Some(place) = &self.unnumbered
            && let Some(mapped) = kept.iter().find(|mapped| mapped.is_number)
        {
            bail!("{place} has no `{}`, which other records have", mapped.column.name);
        }
        if kept.is_empty() || kept.len() == self.seen.len() {
            return Ok(());
        }
        let (table, waiting) = (quoted(&self.mapping.table), quoted(WAITING));
        let names = names(&kept);
        self.connection.execute_batch(&format!("ALTER TABLE {table} RENAME TO {waiting}"))?;
        self.create(&kept)?;
        self.connection.execute_batch(&format!(
            "INSERT INTO {table} ({names}) SELECT {names} FROM {waiting};
             DROP TABLE {waiting}"
        ))?;
        Ok(())
    }

    fn create(&self, columns: &[&Mapped]) -> Result<()> {
        let table = quoted(&self.mapping.table);
        let definitions: Vec<_> = columns.iter().map(|mapped| mapped.definition()).collect();
        let strict = if self.mapping.is_strict { " STRICT" } else { "" };
        let definitions = definitions.join(", ");
        Ok(self
            .connection
            .execute_batch(&format!("CREATE TABLE {table} ({definitions}){strict}"))?)
    }

    fn insert(&self, columns: &[&Mapped]) -> String {
        let table = quoted(&self.mapping.table);
        if columns.is_empty() {
            return format!("INSERT INTO {table} DEFAULT VALUES");
        }
        let marks = vec!["?"; columns.len()].join(", ");
        format!("INSERT INTO {table} ({}) VALUES ({marks})", names(columns))
    }

    fn cell(&mut self, at: usize, mapped: &Mapped, record: &Record<'_>) -> Result<Cell> {
        let field = match &mapped.source {
            Source::Constant(value) => return Ok(Cell::Value(value.clone())),
            Source::Field(field) => field,
        };
        let name = &mapped.column.name;
        let found = record.field(field).map_err(|error| error.context(record.to_string()))?;
        self.seen[at] |= found.is_some();
        let value = match &found {
            None => None,
            Some(found) => mapped.takes.value(found).map_err(|why| {
                let shown = text::cut(&found.shown(), SHOWN_CHARACTERS);
                anyhow::anyhow!("{record}: `{field}` is `{shown}`, and the column `{name}` {why}")
            })?,
        };
        match (value, &found) {
            (None | Some(Value::Null), _) if mapped.is_number => {
                self.unnumbered.get_or_insert_with(|| record.to_string());
                Ok(Cell::Missing)
            }
            (Some(Value::Null), _) if mapped.column.not_null => {
                bail!("{record}: `{field}` is empty, and the column `{name}` must have a value")
            }
            (Some(value), _) => Ok(Cell::Value(value)),
            // An empty field of CSV is an empty text if the column accepts nothing else.
            (None, Some(Found::Bare(_))) if mapped.is_needed() && mapped.takes == Takes::Texts => {
                Ok(Cell::Value(Value::Text(String::new())))
            }
            (None, _) if mapped.is_needed() => Err(missing(record, &field.to_string(), name)),
            (None, _) => Ok(Cell::Missing),
        }
    }
}

/// The error for a record that lacks a field that it needs; the first one may not be a record at
/// all.
fn missing(record: &Record<'_>, field: &str, column: &str) -> anyhow::Error {
    let names: Vec<_> = record.names.iter().map(|name| format!("`{name}`")).collect();
    let fields = match names.as_slice() {
        [] => String::new(),
        names => format!("; its fields are {}", names.join(", ")),
    };
    let what =
        format!("{record} has no `{field}`, and the column `{column}` must have a value{fields}");
    match &record.elsewhere {
        Some(elsewhere) => Refusal::could_not(what, elsewhere),
        None => anyhow::anyhow!(what),
    }
}

fn names(columns: &[&Mapped]) -> String {
    let names: Vec<_> = columns.iter().map(|mapped| quoted(&mapped.column.name)).collect();
    names.join(", ")
}
