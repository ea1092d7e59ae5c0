//! The differences between a file's schema and the database's: the schema may have changed in
//! either of them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use rusqlite::Connection;

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::merge::keys;
use crate::rows::merge::live_tables::{Side, Tables};
use crate::rows::merge::request::{Numbering, Source};
use crate::sqlite::connection::quoted;
use crate::sqlite::full_text::external_content;
use crate::sqlite::schema::{self, Column, Nature, Schema, Storage, Table};

/// The part of a file that fits the schema.
#[derive(Debug, Default)]
pub(super) struct Fitting {
    /// The file's tables that have rows and a place here, by name in lower case.
    pub present: BTreeMap<String, Table>,
    /// Tables that the file has without a row; a reference by number to one of them means nothing
    /// in the database.
    pub empty: BTreeSet<String>,
    /// Values that are lost.
    pub losses: Vec<String>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// How many columns of tables here a file has not, though it has the tables.
#[must_use]
pub(super) fn n_missing(theirs: &Schema, ours: &Schema) -> usize {
    let both = ours.tables.iter().filter_map(|(name, here)| Some((here, theirs.tables.get(name)?)));
    both.map(|(here, table)| missing(table, here).count()).sum()
}

/// Compares the schema of a file with that of the database.
///
/// # Errors
///
/// If it cannot be read; a refusal if it belongs to another application.
pub(super) fn look(
    file: &Side<'_>,
    ours: &Schema,
    tables: &Tables,
    source: &Source,
) -> Result<Fitting> {
    let Side { connection: file, schema: theirs } = *file;
    let mut fitting = Fitting::default();
    compare_settings(theirs, ours, &mut fitting.notes)?;
    let here = theirs.tables.iter().filter(|(name, _)| !source.absent.contains(*name));
    for (name, table) in here {
        let n_rows = || n_rows(file, table);
        if let Storage::Virtual(module) = &table.storage {
            let is_derived = external_content(&table.sql).is_some()
                || schema::MODULES_WITHOUT_CONTENT.contains(&module.as_str());
            if !is_derived && n_rows()? > 0 {
                fitting.losses.push(format!(
                    "left out: {} of `{}`: the data of a module is not merged; rebuild it with \
                     `after-restore`",
                    text::count(n_rows()?, "row"),
                    text::plain(&table.name)
                ));
            }
            continue;
        }
        if n_rows()? == 0 {
            fitting.empty.insert(name.clone());
            continue;
        }
        let has_place = tables.0.get(name).is_some_and(|here| {
            let mut columns = here.table.columns.iter().filter(|c| c.nature == Nature::Ordinary);
            columns.any(|column| table.column(&column.name).is_some())
        });
        if has_place {
            let here = &tables.0[name].table;
            compare_columns(file, table, here, &mut fitting)?;
            if source.numbering != Numbering::Target {
                fitting.notes.extend(missing_columns(table, here));
            }
            fitting.present.insert(name.clone(), table.clone());
        } else {
            fitting.losses.push(unknown_table(table, n_rows()?, theirs, ours));
        }
    }
    Ok(fitting)
}

fn compare_settings(theirs: &Schema, ours: &Schema, notes: &mut Vec<String>) -> Result<()> {
    let both = |name: &str| {
        let value = |schema: &Schema| schema.settings.get(name).cloned().unwrap_or_default();
        (value(theirs), value(ours))
    };
    let (file, here) = both("application_id");
    if file != here && file != "0" && here != "0" {
        return Err(Refusal::no(
            format!(
                "it belongs to another application: its application_id is {file}, here it is {here}"
            ),
            "if both are the same one, set `PRAGMA application_id` alike and export again; the \
             database is untouched",
        ));
    }
    let (file, here) = both("user_version");
    if file != here && file != "0" {
        notes.push(format!("its schema version is {file}, here it is {here}"));
    }
    Ok(())
}

fn unknown_table(table: &Table, n_rows: u64, theirs: &Schema, ours: &Schema) -> String {
    let names = |table: &Table| -> Vec<String> {
        table.columns.iter().map(|column| column.name.to_ascii_lowercase()).collect()
    };
    let mut alike = ours
        .tables
        .iter()
        .filter(|(name, here)| !theirs.tables.contains_key(*name) && names(here) == names(table));
    let guess = match (alike.next(), alike.next()) {
        (Some((_, here)), None) => format!("; it may be `{}` now", text::plain(&here.name)),
        _ => String::new(),
    };
    let why = if ours.views.contains_key(&table.name.to_ascii_lowercase()) {
        "it is a view here"
    } else {
        "there is no such table here"
    };
    format!(
        "left out: {} of `{}`: {why}{guess}",
        text::count(n_rows, "row"),
        text::plain(&table.name)
    )
}

fn compare_columns(
    file: &Connection,
    theirs: &Table,
    ours: &Table,
    fitting: &mut Fitting,
) -> Result<()> {
    let table = text::plain(&ours.name);
    let is_here = |column: &Column| keys::ordinary(ours, &column.name).is_some();
    let stored = theirs.columns.iter().filter(|c| c.nature == Nature::Ordinary);
    for column in stored.filter(|column| !is_here(column)) {
        let question = format!(
            "SELECT count(r.{}) FROM main.{} AS r NOT INDEXED",
            quoted(&column.name),
            quoted(&theirs.name)
        );
        let n_values: i64 = file.query_row(&question, [], |row| row.get(0))?;
        if n_values > 0 {
            fitting.losses.push(format!(
                "left out: {} of `{table}.{}`: there is no such column here{}",
                text::count(n_values.unsigned_abs(), "value"),
                text::plain(&column.name),
                renamed(column, theirs, ours)
            ));
        }
    }
    for column in &theirs.columns {
        let Some(here) = ours.column(&column.name).filter(|here| is_here(here)) else { continue };
        let (before, now) = (&column.declared_type, &here.declared_type);
        if theirs.affinity(column) != ours.affinity(here) {
            fitting.notes.push(format!(
                "`{table}.{}` is {} in the file and {} here: values are stored as that",
                text::plain(&here.name),
                type_name(before),
                type_name(now)
            ));
        }
    }
    Ok(())
}

/// Columns that only the database has.
fn missing_columns(theirs: &Table, ours: &Table) -> Option<String> {
    let missing = missing(theirs, ours);
    let names: Vec<String> =
        missing.map(|column| format!("`{}`", text::plain(&column.name))).collect();
    (!names.is_empty()).then(|| {
        format!(
            "`{}` has no {} in the file: new rows get the default",
            text::plain(&ours.name),
            names.join(", ")
        )
    })
}

fn type_name(declared_type: &str) -> String {
    let name = if declared_type.is_empty() { "without a type" } else { declared_type };
    text::plain(name)
}

/// Guesses the present name of a column: one that the file lacks, of the same type or at the same
/// place.
fn renamed(column: &Column, theirs: &Table, ours: &Table) -> String {
    let is_new =
        |other: &&Column| other.nature == Nature::Ordinary && theirs.column(&other.name).is_none();
    let place = |table: &Table, name: &str| table.columns.iter().position(|c| c.name == name);
    let only = |is_like: &dyn Fn(&Column) -> bool| {
        let mut alike = ours.columns.iter().filter(is_new).filter(|other| is_like(other));
        alike.next().filter(|_| alike.next().is_none())
    };
    let same_type =
        |other: &Column| other.declared_type.eq_ignore_ascii_case(&column.declared_type);
    let same_place = |other: &Column| place(ours, &other.name) == place(theirs, &column.name);
    let guess = only(&|other| other.definition == column.definition)
        .or_else(|| only(&|other| same_type(other) && same_place(other)));
    match guess {
        Some(other) => format!("; it may be `{}` now", text::plain(&other.name)),
        None => String::new(),
    }
}

fn n_rows(file: &Connection, table: &Table) -> Result<u64> {
    let question = format!("SELECT count(*) FROM main.{}", quoted(&table.name));
    let n: i64 = file.query_row(&question, [], |row| row.get(0))?;
    Ok(n.unsigned_abs())
}

/// The columns here that a file's table lacks.
fn missing<'t>(theirs: &Table, ours: &'t Table) -> impl Iterator<Item = &'t Column> {
    let stored = ours.columns.iter().filter(|column| column.nature == Nature::Ordinary);
    stored.filter(|column| theirs.column(&column.name).is_none())
}
