//! Loads our own exports into a scratch database: tables, their rows, and only then indexes, views
//! and triggers.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use xtask_db_format::{
    CsvReader, Definition, Doubled, Header, JsonReader, Newer, OddTexts, OpenFile, OtherEngine,
    Reader, Reading, Rows, Setting, TableHead, insert_rows,
};

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::import::definition_guard::{self, Guard, Object};
use crate::rows::import::scratch::{Kind, Loaded, Loading};
use crate::sqlite::connection::{self, quoted};
use crate::sqlite::schema::COUNTERS;

/// Loads an export.
///
/// # Errors
///
/// As [`super::load`].
pub(super) fn load(
    file: &Path,
    kind: Kind,
    loading: &Loading<'_>,
    reach: &mut dyn FnMut(u64),
) -> Result<Loaded> {
    let mut reading = open(file, kind).map_err(explain_newer)?;
    let header = reading.header().clone();
    examine(&header)?;
    let mut connection = connection::open_scratch(loading.scratch)?;
    let _watched = loading.interrupt.watch(&connection);
    loading.bounds.set_on(&mut connection)?;
    let guard = Guard::on(&mut connection);
    let encoding = loading.encoding.unwrap_or(&header.encoding);
    connection.execute_batch(&format!(
        "PRAGMA encoding = \"{encoding}\"; PRAGMA ignore_check_constraints = ON; BEGIN"
    ))?;
    loading.bounds.set_room_of(&connection)?;
    create_tables(&connection, &guard, &header)?;
    let mut look = |n_bytes| {
        reach(n_bytes);
        loading.interrupt.check()
    };
    insert_rows(reading.as_mut(), &connection, odd_texts(encoding, &header), &mut look)
        .map_err(|error| name_both(error, file, kind, loading))?;
    clear_counters(&connection, &header, reading.counts())?;
    finish(&connection, &guard, &header)?;
    Ok(loaded(&header, reading.counts()))
}

fn open(file: &Path, kind: Kind) -> Result<Box<dyn Reading>> {
    if kind == Kind::Csv {
        let folder = file.to_owned();
        let open: OpenFile = Box::new(move |name| {
            // A table's name cannot lead out of the folder: no separator is in it.
            Ok(Box::new(fs_err::File::open(folder.join(name))?))
        });
        return Ok(Box::new(CsvReader::open(open)?));
    }
    let file = fs_err::File::open(file)?;
    Ok(if kind == Kind::Json {
        Box::new(JsonReader::open(file)?)
    } else {
        Box::new(Reader::open(file)?)
    })
}

pub(super) fn explain_newer(error: anyhow::Error) -> anyhow::Error {
    if error.is::<OtherEngine>() {
        return refuse_other_engine();
    }
    let Some(newer) = error.downcast_ref::<Newer>() else { return error };
    Refusal::could_not(
        newer.to_string(),
        "nothing was changed; update xtask-db with `cargo update --package xtask-db`, then import it",
    )
}

/// Refuses an export of a PostgreSQL database: its definitions and values mean nothing to SQLite.
pub(super) fn refuse_other_engine() -> anyhow::Error {
    Refusal::could_not(
        OtherEngine.to_string(),
        "load it into a PostgreSQL database: an export in SQL with `psql --set=ON_ERROR_STOP=1 --file FILE`, one in \
         CSV with `\\copy` of psql; import its rows into SQLite as records, with `--records` and `--table`",
    )
}

/// If two rows have the same key, names the line of the other one: the file is read once more, up
/// to that.
fn name_both(
    error: anyhow::Error,
    file: &Path,
    kind: Kind,
    loading: &Loading<'_>,
) -> anyhow::Error {
    let Some(doubled) = error.downcast_ref::<Doubled>() else { return error };
    let other = || -> Result<Option<String>> {
        let mut reading = open(file, kind)?;
        while let Some(row) = reading.next_row()? {
            if doubled.is_other(row)? {
                return Ok(Some(reading.place()));
            }
            loading.interrupt.check()?;
        }
        Ok(None)
    };
    match other() {
        Ok(Some(place)) if place != doubled.place => anyhow::anyhow!(
            "{place} and {}: two rows of `{}` have the same {}",
            doubled.place,
            doubled.table.0,
            doubled.key()
        ),
        _ => error,
    }
}

/// The header is used as it is, so it must be one that an export writes.
fn examine(header: &Header) -> Result<()> {
    let encodings = ["UTF-8", "UTF-16le", "UTF-16be"];
    let encoding = header.encoding.as_str();
    ensure!(encodings.contains(&encoding), "the header has an unknown encoding, `{encoding}`");
    let numbers =
        [("application_id", header.application_id), ("user_version", header.user_version)];
    for (name, number) in numbers {
        ensure!(i32::try_from(number).is_ok(), "the header's {name} has more than 32 bits");
    }
    let mut names = BTreeSet::new();
    for TableHead { name, sql, .. } in &header.tables {
        ensure!(names.insert(name.to_ascii_lowercase()), "the header has table `{name}` twice");
        let is_reserved = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
        ensure!(
            if sql.is_none() { name == COUNTERS } else { !is_reserved },
            "the header has a table `{name}`, which is SQLite's own or has no definition"
        );
    }
    Ok(())
}

/// Texts that are not Unicode have the bytes of the export's encoding.
fn odd_texts(encoding: &str, header: &Header) -> OddTexts {
    if encoding != header.encoding {
        OddTexts::Refused
    } else if encoding == "UTF-8" {
        OddTexts::AsTheyAre
    } else {
        OddTexts::Cast
    }
}

fn create_tables(connection: &Connection, guard: &Guard, header: &Header) -> Result<()> {
    for table in &header.tables {
        let Some(sql) = &table.sql else { continue };
        let (name, kind) = (table.name.clone(), definition_guard::Kind::Table);
        guard.create(connection, &Object { kind, table: name.clone(), name }, sql)?;
        let name = quoted(&table.name);
        let insert = format!("INSERT INTO main.{name}({name}, rank) VALUES (?1, ?2)");
        for (key, setting) in &table.settings {
            let set = match setting {
                Setting::Integer(integer) => connection.execute(&insert, (key, integer)),
                Setting::Text(text) => connection.execute(&insert, (key, text)),
            };
            set.with_context(|| format!("could not set `{key}` of table `{}`", table.name))?;
        }
    }
    Ok(())
}

/// If no counter comes from the file, none stays that only the rows have made.
fn clear_counters(connection: &Connection, header: &Header, counts: &[u64]) -> Result<()> {
    let mut both = header.tables.iter().zip(counts);
    if both.any(|(table, n)| table.sql.is_none() && *n == 0) {
        connection.execute_batch(&format!("DELETE FROM main.{COUNTERS}"))?;
    }
    Ok(())
}

/// Creates everything about rows after them, so that no trigger fires on one. A full-text index may
/// be of a view's rows.
fn finish(connection: &Connection, guard: &Guard, header: &Header) -> Result<()> {
    create(connection, guard, definition_guard::Kind::Index, &header.indexes)?;
    create(connection, guard, definition_guard::Kind::View, &header.views)?;
    for table in header.tables.iter().filter(|table| table.rows == Rows::Rebuilt) {
        let name = quoted(&table.name);
        let rebuild = format!("INSERT INTO main.{name}({name}) VALUES ('rebuild')");
        let what = || format!("could not rebuild the full-text index `{}`", table.name);
        connection.execute_batch(&rebuild).with_context(what)?;
    }
    create(connection, guard, definition_guard::Kind::Trigger, &header.triggers)?;
    connection.execute_batch(&format!(
        "PRAGMA user_version = {}; PRAGMA application_id = {}; COMMIT",
        header.user_version, header.application_id
    ))?;
    Ok(())
}

fn create(
    connection: &Connection,
    guard: &Guard,
    kind: definition_guard::Kind,
    definitions: &[Definition],
) -> Result<()> {
    for Definition { name, table, sql } in definitions {
        let object = Object { kind, name: name.clone(), table: table.clone() };
        guard.create(connection, &object, sql)?;
    }
    Ok(())
}

fn loaded(header: &Header, counts: &[u64]) -> Loaded {
    let mut loaded = Loaded::default();
    for (table, n_rows) in header.tables.iter().zip(counts) {
        let name = text::plain(&table.name);
        match table.rows {
            Rows::Here => drop(loaded.rows.insert(table.name.clone(), *n_rows)),
            Rows::LeftOut => {
                loaded.absent.insert(table.name.to_ascii_lowercase());
                loaded
                    .remarks
                    .push(format!("the rows of `{name}` were left out: the file has none"));
            }
            Rows::Unreadable => {
                loaded.absent.insert(table.name.to_ascii_lowercase());
                loaded.remarks.push(format!(
                    "`{name}` stored an index without its texts (content=''): the file has none of \
                     it"
                ));
            }
            Rows::Rebuilt | Rows::None => {}
        }
    }
    loaded
}

#[cfg(test)]
mod tests;
