//! Triggers are off while rows are merged. This names those whose work nothing else does.

use std::collections::BTreeMap;

use anyhow::Result;
use rusqlite::Connection;

use crate::console::text;
use crate::sqlite::full_text::external_content;

/// The triggers of a table that did not run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Silent {
    /// Triggers that write to other tables, except those that only feed full-text indexes, which
    /// are rebuilt.
    pub writing: Vec<String>,
    /// Triggers that only read, as far as can be seen: they may forbid rows.
    pub judging: Vec<String>,
}

impl Silent {
    /// Remarks for the user, as sentences.
    #[must_use]
    pub(super) fn told(&self, table: &str) -> Vec<String> {
        let table = text::plain(table);
        let said = |names: &[String], what: &str| {
            let names = text::plain(&names.join(", "));
            format!("the triggers of {table} did not run ({names}): {what}")
        };
        let stale = (&self.writing, "data that they maintain elsewhere may be stale");
        let forbidden = (&self.judging, "they may forbid rows that were written, so check these");
        let both = [stale, forbidden].into_iter().filter(|(names, _)| !names.is_empty());
        both.map(|(names, what)| said(names, what)).collect()
    }
}

/// The triggers and the full-text indexes of a schema.
pub(super) struct Triggers {
    /// Names and statements, by the table in lower case.
    of_tables: BTreeMap<String, Vec<(String, String)>>,
    /// The names of the indexes over a table, by that; all in lower case.
    rebuilt: BTreeMap<String, Vec<String>>,
}

impl Triggers {
    /// Reads the triggers of the database.
    ///
    /// # Errors
    ///
    /// If the schema cannot be read.
    pub(super) fn read(connection: &Connection) -> Result<Self> {
        let mut of_tables = BTreeMap::<String, Vec<_>>::new();
        let mut statement = connection.prepare(
            "SELECT tbl_name, name, sql FROM main.sqlite_schema WHERE type = 'trigger' ORDER BY name",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let table = row.get::<_, String>(0)?.to_ascii_lowercase();
            of_tables.entry(table).or_default().push((row.get(1)?, row.get(2)?));
        }
        Ok(Self { of_tables, rebuilt: rebuilt(connection)? })
    }

    /// The triggers of a table whose work nothing else does.
    #[must_use]
    pub(super) fn silent(&self, table: &str) -> Silent {
        let table = table.to_ascii_lowercase();
        let rebuilt = self.rebuilt.get(&table).map_or(&[][..], Vec::as_slice);
        let mut silent = Silent::default();
        for (name, sql) in self.of_tables.get(&table).into_iter().flatten() {
            let (writes, forbids) = (writes_to(sql), forbids(sql));
            if writes.iter().any(|table| !rebuilt.contains(table)) {
                silent.writing.push(name.clone());
            } else if forbids || writes.is_empty() {
                silent.judging.push(name.clone());
            }
        }
        silent
    }
}

/// Whether a trigger can refuse rows
/// (<https://sqlite.org/lang_createtrigger.html#the_raise_function>).
fn forbids(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    let mut rest = lower.as_str();
    while let Some(at) = rest.find("raise") {
        rest = &rest[at + "raise".len()..];
        if rest.trim_start().starts_with('(') {
            return true;
        }
    }
    false
}

/// The full-text indexes over each table, all in lower case.
fn rebuilt(connection: &Connection) -> Result<BTreeMap<String, Vec<String>>> {
    let question = "SELECT lower(name), sql FROM main.sqlite_schema
                    WHERE type = 'table' AND rootpage = 0 AND sql IS NOT NULL";
    let mut statement = connection.prepare(question)?;
    let mut rows = statement.query([])?;
    let mut rebuilt = BTreeMap::<String, Vec<_>>::new();
    while let Some(row) = rows.next()? {
        if let Some(content) = external_content(&row.get::<_, String>(1)?) {
            rebuilt.entry(content.to_ascii_lowercase()).or_default().push(row.get(0)?);
        }
    }
    Ok(rebuilt)
}

/// The words at the places where a statement may name the table that it writes to; one too many
/// does no harm.
fn writes_to(sql: &str) -> Vec<String> {
    let lower = sql.to_ascii_lowercase();
    let body = lower.find("begin").map_or("", |at| &lower[at + "begin".len()..]);
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let words: Vec<&str> = body.split(|c| !is_of_name(c)).filter(|word| !word.is_empty()).collect();
    let named = words.windows(2).filter(|pair| match pair[0] {
        "into" | "update" => true,
        "from" => body.contains("delete"),
        _ => false,
    });
    let alternatives = ["or", "into"];
    named
        .map(|pair| pair[1].to_owned())
        .filter(|name| !alternatives.contains(&name.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_that_forbids_is_told_from_one_that_only_speaks_of_it() {
        for (sql, expected) in [
            ("CREATE TRIGGER t BEFORE INSERT ON a BEGIN SELECT RAISE(ABORT, 'no'); END", true),
            ("CREATE TRIGGER t BEFORE INSERT ON a BEGIN SELECT raise (fail, 'no'); END", true),
            (
                "CREATE TRIGGER raised AFTER INSERT ON a BEGIN INSERT INTO raises VALUES (1); END",
                false,
            ),
        ] {
            assert_eq!(forbids(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_trigger_says_where_it_writes() {
        for (sql, tables) in [
            ("CREATE TRIGGER t AFTER INSERT ON a BEGIN INSERT INTO fts (x) VALUES (1); END", "fts"),
            ("CREATE TRIGGER t AFTER UPDATE OF x ON a BEGIN UPDATE \"b\" SET n = 1; END", "b"),
            (
                "CREATE TRIGGER t AFTER DELETE ON a BEGIN DELETE FROM c; INSERT OR IGNORE INTO d SELECT 1; END",
                "c d",
            ),
            ("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT raise(ABORT, 'no'); END", ""),
        ] {
            assert_eq!(writes_to(sql).join(" "), tables, "{sql}");
        }
    }
}
