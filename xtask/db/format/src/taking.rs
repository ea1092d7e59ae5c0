//! What the columns of a table do to values: depending on a column's type, SQLite turns a number
//! into a text, or a text that looks like a number into one. No database has such a value in such a
//! column unless somebody edited its schema, and an export that claims one would not come back as
//! it was.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::affinity::Affinity;
use crate::fields::Row;
use crate::header::TableHead;

/// What a column turns values into (<https://sqlite.org/datatype3.html#type_affinity>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taking {
    /// Nothing: any value stays what it is.
    AsItIs,
    /// Texts that look like numbers into numbers. A whole number and the equal real are one to it.
    Numbers,
    /// Numbers into texts.
    Texts,
    /// NULL into a new number: it is the rowid.
    Rowid,
}

/// How each table keeps its rows, by its name in lower case.
#[derive(Debug)]
pub(crate) struct Shapes(HashMap<String, Shape>);

/// How a table keeps its rows.
#[derive(Debug, Clone, Copy)]
struct Shape {
    is_strict: bool,
    is_virtual: bool,
    is_without_rowid: bool,
}

impl Shapes {
    /// Reads them all at once: SQLite goes through every table even to list a single one.
    ///
    /// # Errors
    ///
    /// If SQLite refuses.
    pub(crate) fn read(connection: &Connection) -> Result<Self> {
        let question = "SELECT lower(name), strict, type = 'virtual', wr
            FROM pragma_table_list WHERE schema = 'main'";
        let mut statement = connection.prepare(question)?;
        let shapes = statement.query_map([], |row| {
            let (is_strict, is_virtual) = (row.get(1)?, row.get(2)?);
            Ok((row.get(0)?, Shape { is_strict, is_virtual, is_without_rowid: row.get(3)? }))
        })?;
        Ok(Self(shapes.collect::<Result<_, _>>()?))
    }

    fn of(&self, table: &str) -> Option<Shape> {
        self.0.get(&table.to_ascii_lowercase()).copied()
    }
}

/// What the members of a table's rows do.
#[derive(Debug)]
pub(crate) struct Takings(Vec<Taking>);

impl Takings {
    /// Looks at a table that is there.
    ///
    /// # Errors
    ///
    /// If SQLite refuses.
    pub(crate) fn of(connection: &Connection, table: &TableHead, shapes: &Shapes) -> Result<Self> {
        if table.sql.is_none() {
            return Ok(Self(Vec::new()));
        }
        let shape =
            shapes.of(&table.name).with_context(|| format!("no such table: {}", table.name))?;
        if shape.is_virtual {
            return Ok(Self(Vec::new()));
        }
        let question = "SELECT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')";
        let has_index: bool = connection.query_row(question, [&table.name], |row| row.get(0))?;
        let has_own_key = shape.is_without_rowid || has_index;
        let question =
            "SELECT type, pk > 0 FROM pragma_table_xinfo(?1) WHERE name = ?2 COLLATE NOCASE";
        let mut statement = connection.prepare(question)?;
        let mut takings = Vec::new();
        for name in table.members() {
            let mut rows = statement.query([&table.name, name])?;
            takings.push(match rows.next()? {
                // A rowid that is not a column.
                None => Taking::Rowid,
                Some(row) => {
                    let (declared, is_key): (String, bool) = (row.get(0)?, row.get(1)?);
                    if is_key && !has_own_key && declared.eq_ignore_ascii_case("integer") {
                        Taking::Rowid
                    } else {
                        of_type(&declared, shape.is_strict)
                    }
                }
            });
        }
        if takings.iter().all(|taking| *taking == Taking::AsItIs) {
            takings.clear();
        }
        Ok(Self(takings))
    }

    /// Refuses a row with a value that would become another one.
    ///
    /// # Errors
    ///
    /// If there is one.
    pub(crate) fn refuse_changes(&self, row: Row<'_>, table: &TableHead) -> Result<()> {
        for (at, taking) in self.0.iter().enumerate() {
            let (is, becomes) = match (taking, row.raw(at)) {
                (Taking::Texts, ValueRef::Integer(_) | ValueRef::Real(_)) => ("number", "a text"),
                (Taking::Numbers, ValueRef::Text(text)) if is_number(text) => ("text", "a number"),
                (Taking::Rowid, ValueRef::Null) => ("NULL", "a new number"),
                _ => continue,
            };
            let name = table.members().nth(at).unwrap_or_default();
            bail!("the {is} in `{name}` would become {becomes} because of the type of that column");
        }
        Ok(())
    }
}

fn of_type(declared: &str, is_strict: bool) -> Taking {
    match Affinity::of(declared, is_strict) {
        Affinity::Blob => Taking::AsItIs,
        Affinity::Text => Taking::Texts,
        Affinity::Integer | Affinity::Real | Affinity::Numeric => Taking::Numbers,
    }
}

/// Whether SQLite takes a text for a number: a decimal one, with spaces around it.
fn is_number(text: &[u8]) -> bool {
    let is_space = |byte: &u8| matches!(byte, b' ' | 0x09..=0x0D);
    let begin = text.iter().take_while(|byte| is_space(byte)).count();
    let text = &text[begin..];
    let n_after = text.iter().rev().take_while(|byte| is_space(byte)).count();
    let text = &text[..text.len() - n_after];
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unsigned = |text: &'_ [u8]| usize::from(matches!(text, [b'+' | b'-', ..]));
    let mut rest = &text[unsigned(text)..];
    let n_whole = digits(rest);
    rest = &rest[n_whole..];
    let mut n_digits = n_whole;
    if let [b'.', fraction @ ..] = rest {
        let n_fraction = digits(fraction);
        n_digits += n_fraction;
        rest = &fraction[n_fraction..];
    }
    if n_digits == 0 {
        return false;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = &exponent[unsigned(exponent)..];
        let n = digits(exponent);
        return n > 0 && n == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_looks_like_a_number_as_sqlite_says() {
        let connection = Connection::open_in_memory().expect("a database");
        connection.execute_batch("CREATE TABLE t (v NUMERIC)").expect("a table");
        for text in [
            "",
            " ",
            "1",
            "+1",
            "-1",
            "--1",
            "1.",
            ".1",
            ".",
            "1.5",
            "1.5.1",
            "1e5",
            "1e",
            "1e+",
            "1E-2",
            "e1",
            "0x10",
            "12a",
            "a12",
            " 12",
            "\u{b}12\u{c}",
            "12 ",
            "1 2",
            "2024-01-01",
            "12:00",
            "inf",
            "nan",
            "1_000",
            "99999999999999999999",
            "1e999",
            "+.e1",
            "\u{a0}1",
        ] {
            connection.execute("DELETE FROM t", []).expect("empty");
            connection.execute("INSERT INTO t VALUES (?1)", [text]).expect("inserted");
            let class: String = connection
                .query_row("SELECT typeof(v) FROM t", [], |row| row.get(0))
                .expect("a row");
            assert_eq!(is_number(text.as_bytes()), class != "text", "{text:?} is {class}");
        }
    }
}
