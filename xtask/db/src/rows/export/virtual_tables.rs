//! Virtual tables by their content: which of their rows can be read, and under which rowid.

use anyhow::Result;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use xtask_db_format::{Rows, Setting, TableHead};

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::sqlite::connection::quoted;
use crate::sqlite::full_text::external_content;
use crate::sqlite::schema::{self, Nature, Storage, Table};

/// The table that a full-text index covers, in lower case; `None` if it keeps its texts itself,
/// empty if nobody does.
pub(super) fn content(table: &Table) -> Option<String> {
    external_content(&table.sql)
}

/// Adds the properties of a virtual table that only its module knows; changes nothing for any other
/// table.
///
/// # Errors
///
/// A refusal if its rows are to be exported and this build does not know its module.
pub(super) fn complete(
    connection: &Connection,
    table: &Table,
    head: &mut TableHead,
    is_left_out: bool,
) -> Result<()> {
    let Storage::Virtual(module) = &table.storage else { return Ok(()) };
    let is_known = !table.columns.is_empty();
    match module.as_str() {
        module if schema::MODULES_WITHOUT_CONTENT.contains(&module) => head.rows = Rows::None,
        "fts3" | "fts4" | "fts5" if is_known => {
            head.rows = match content(table) {
                None => Rows::Here,
                Some(content) if content.is_empty() => Rows::Unreadable,
                Some(_) => Rows::Rebuilt,
            };
            if head.rows == Rows::Here {
                head.rowid = table.free_rowid_name().map(str::to_owned);
            }
            head.columns.extend(language(table));
            if module == "fts5" {
                head.settings = settings(connection, table)?;
            }
        }
        "rtree" | "rtree_i32" if is_known => {
            head.key = head.columns.iter().take(1).cloned().collect();
        }
        "geopoly" if is_known => head.rowid = table.free_rowid_name().map(str::to_owned),
        _ if is_left_out => {}
        _ => return Err(unknown(table, module)),
    }
    Ok(())
}

fn unknown(table: &Table, module: &str) -> anyhow::Error {
    let name = text::plain(&table.name);
    Refusal::could_not(
        format!(
            "the rows of table `{name}` cannot be read: its module `{}` is unknown here",
            text::plain(module)
        ),
        format!(
            "leave its rows out with `--without {}`, or take a backup, which contains everything",
            text::shell(&name)
        ),
    )
}

/// The hidden column in which an FTS4 table keeps the language of a row, if it has one by name
/// (<https://sqlite.org/fts3.html#the_languageid_option>).
pub(crate) fn language(table: &Table) -> Option<String> {
    let hidden = table.columns.iter().filter(|column| column.nature == Nature::Hidden);
    let third = hidden.skip(2).map(|column| &column.name).find(|name| *name != "__langid");
    third.filter(|_| table.storage == Storage::Virtual("fts4".to_owned())).cloned()
}

/// The settings that an FTS5 table stores beside its rows, e.g. its ranking
/// (<https://sqlite.org/fts5.html#special_insert_commands>).
///
/// # Errors
///
/// If they cannot be read.
pub(crate) fn settings(connection: &Connection, table: &Table) -> Result<Vec<(String, Setting)>> {
    let shadow = quoted(&format!("{}_config", table.name));
    let question = format!("SELECT k, v FROM main.{shadow} WHERE k <> 'version' ORDER BY k");
    let mut statement = connection.prepare(&question)?;
    let mut rows = statement.query([])?;
    let mut settings = Vec::new();
    while let Some(row) = rows.next()? {
        let setting = match row.get_ref(1)? {
            ValueRef::Integer(integer) => Setting::Integer(integer),
            value => Setting::Text(String::from_utf8_lossy(value.as_bytes()?).into_owned()),
        };
        settings.push((row.get(0)?, setting));
    }
    Ok(settings)
}
