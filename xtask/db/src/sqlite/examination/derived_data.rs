//! Derived data: what can be rebuilt from rows. If it is out of step, that is not damage.
//!
//! A full-text index over another table (`content=`) goes stale whenever that table changes without
//! telling it, and an index of an older tokenizer differs from what a newer one makes of the same
//! words. SQLite's check calls both malformed. An index that stores no content (`content=''`)
//! cannot be rebuilt, so there it is damage. The same goes for an R-tree, which is the data itself,
//! and for an ordinary index, which SQLite never lets go stale.

use rusqlite::{Connection, OptionalExtension as _};

use crate::sqlite::connection::quoted;
use crate::sqlite::full_text::external_content;

/// The finding and its cure, if a message of SQLite's check means a full-text index that does not agree
/// with its rows (<https://sqlite.org/fts3.html#rebuild>,
/// <https://sqlite.org/fts5.html#the_rebuild_command>).
pub(super) fn out_of_step(connection: &Connection, message: &str) -> Option<String> {
    let index = message.strip_prefix("malformed inverted index for FTS")?;
    let (_, index) = index.split_once(" table main.")?;
    let question = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let sql = connection.query_row(question, [index], |row| row.get::<_, String>(0));
    let sql = sql.optional().ok()??;
    let has_content = external_content(&sql).is_none_or(|table| !table.is_empty());
    has_content.then(|| {
        let name = word(index);
        format!(
            "the full-text index `{index}` does not agree with its rows; rebuild it with `INSERT INTO \
             {name}({name}) VALUES('rebuild')`"
        )
    })
}

/// A name as one would write it in SQL.
fn word(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if is_plain { name.to_owned() } else { quoted(name) }
}
