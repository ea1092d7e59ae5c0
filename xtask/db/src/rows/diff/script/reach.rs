//! The virtual tables that statements can recreate: those whose rows can be read, and those that are
//! rebuilt from another table.

use anyhow::Result;
use rusqlite::Connection;
use xtask_db_format::{Setting, text_literal};

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::diff::rows;
use crate::rows::diff::source::Source;
use crate::rows::export::virtual_tables;
use crate::sqlite::connection::quoted;
use crate::sqlite::full_text::external_content;
use crate::sqlite::schema::{MODULES_WITHOUT_CONTENT, Storage, Table};

const HINT: &str = "nothing was written; restore the state with `cargo xtask db-restore`, or choose other \
                    tables with `--table`";

pub(super) fn is_virtual(table: &Table) -> bool {
    matches!(table.storage, Storage::Virtual(_))
}

/// Refuses a table that is to be dropped and whose module nobody has.
///
/// # Errors
///
/// The refusal.
pub(super) fn refuse_unknown(table: &Table) -> Result<()> {
    match &table.storage {
        Storage::Virtual(module) if table.columns.is_empty() => {
            let module = text::plain(module);
            refuse(table, &format!("its module `{module}` is unknown here"))
        }
        _ => Ok(()),
    }
}

/// Refuses a table that is to be created and would lack its rows.
///
/// # Errors
///
/// The refusal; if its rows cannot be counted.
pub(super) fn refuse_lossy(connection: &Connection, table: &Table) -> Result<()> {
    let Storage::Virtual(module) = &table.storage else { return Ok(()) };
    refuse_unknown(table)?;
    match module.as_str() {
        module if MODULES_WITHOUT_CONTENT.contains(&module) => Ok(()),
        "rtree" | "rtree_i32" => Ok(()),
        "fts3" | "fts4" | "fts5" => refuse_lossy_index(connection, table),
        module => {
            let module = text::plain(module);
            refuse(table, &format!("the data of its module `{module}` is not supported"))
        }
    }
}

fn refuse_lossy_index(connection: &Connection, table: &Table) -> Result<()> {
    let content = external_content(&table.sql);
    if content.as_ref().is_some_and(|content| !content.is_empty()) {
        return Ok(());
    }
    let source = Source::of(connection, table)?;
    let n_rows = match &source {
        Some(source) => rows::count(connection, source)?,
        // It may have some anyway, but that cannot be known.
        None => 1,
    };
    if n_rows == 0 {
        return Ok(());
    }
    if content.is_some() {
        return refuse(table, "it stores an index without its texts (content='')");
    }
    let is_readable = source.is_some_and(|source| !source.shown.is_empty());
    if !is_readable || is_compressed(table) {
        return refuse(table, "only its module can read the texts that it stores");
    }
    Ok(())
}

/// Whether the texts of an FTS4 table went through a function of the application
/// (<https://sqlite.org/fts3.html#the_compress_and_uncompress_options>).
fn is_compressed(table: &Table) -> bool {
    let sql = table.sql.to_ascii_lowercase();
    let mut rest = sql.split("compress").skip(1).map(str::trim_start);
    rest.any(|after| after.starts_with('='))
}

fn refuse(table: &Table, why: &str) -> Result<()> {
    let name = text::plain(&table.name);
    Err(Refusal::could_not(format!("no statements can recreate `{name}`: {why}"), HINT))
}

/// The settings of an FTS5 table beside its rows, as statements.
///
/// # Errors
///
/// If they cannot be read.
pub(super) fn settings(connection: &Connection, table: &Table) -> Result<Vec<String>> {
    if table.storage != Storage::Virtual("fts5".to_owned()) {
        return Ok(Vec::new());
    }
    let name = quoted(&table.name);
    let settings = virtual_tables::settings(connection, table)?.into_iter();
    let statement = |(key, setting): (String, Setting)| {
        let value = match setting {
            Setting::Integer(integer) => integer.to_string(),
            Setting::Text(text) => text_literal(&text),
        };
        format!("INSERT INTO {name}({name}, rank) VALUES({}, {value});", text_literal(&key))
    };
    Ok(settings.map(statement).collect())
}
