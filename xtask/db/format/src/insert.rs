//! Inserts the rows of an export into existing tables: one loop, which copies no value and prepares
//! one statement per table.

use std::fmt;

use anyhow::{Result, bail};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, Statement};

use crate::Reading;
use crate::cell::Value;
use crate::fields::Row;
use crate::header::TableHead;
use crate::literal::quoted;
use crate::taking::{Shapes, Takings};

/// Rows after which somebody looks whether to continue.
const ROWS_BETWEEN_LOOKS: u64 = 1 << 12;

/// How a text that is not Unicode gets into the database, whose encoding its bytes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddTexts {
    /// As it is: that is UTF-8.
    AsTheyAre,
    /// By a cast of its bytes: that is UTF-16.
    Cast,
    /// Not at all: it is another encoding than that of the export.
    Refused,
}

/// Inserts every row that is read. `look` hears now and then how many bytes were read, and may end
/// it. What is there already is never replaced, whatever a table's own rules for conflicts say.
///
/// # Errors
///
/// As [`Reading::next_row`]; if a row does not fit into its table; as `look`.
pub fn insert_rows(
    reading: &mut dyn Reading,
    connection: &Connection,
    odd_texts: OddTexts,
    look: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let tables = reading.header().tables.clone();
    let shapes = Shapes::read(connection)?;
    let mut current: Option<(usize, Statement<'_>, Takings)> = None;
    let mut n_rows = 0_u64;
    while let Some(row) = reading.next_row()? {
        let at = row.table;
        let put = match &mut current {
            Some((table, statement, takings)) if *table == at => {
                takings.refuse_changes(row, &tables[at]).and_then(|()| put(row, statement))
            }
            other => prepare(connection, &tables[at], &shapes).and_then(|(statement, takings)| {
                takings.refuse_changes(row, &tables[at])?;
                put(row, &mut other.insert((at, statement, takings)).1)
            }),
        };
        let put = put.and_then(|is_put| {
            if is_put { Ok(()) } else { put_odd(row, odd_texts, connection, &tables[at]) }
        });
        if let Err(error) = put {
            if let Some(doubled) = Doubled::of(&error, row, &tables[at])? {
                return Err(Doubled { place: reading.place(), ..doubled }.into());
            }
            let what = format!("{}: a row of `{}`", reading.place(), tables[at].name);
            return Err(plain(error).context(what));
        }
        n_rows += 1;
        if n_rows.is_multiple_of(ROWS_BETWEEN_LOOKS) {
            look(reading.n_bytes())?;
        }
    }
    look(reading.n_bytes())
}

/// A row whose key another row of the same file has.
#[derive(Debug, Clone)]
pub struct Doubled {
    /// Where it is, e.g. `line 7`.
    pub place: String,
    /// Its table: its name and its place in the header.
    pub table: (String, usize),
    /// The columns of the key, as places among the values of a row, and their names.
    columns: Vec<(usize, String)>,
    /// The values of the key.
    values: Vec<Value>,
}

impl Doubled {
    /// The row, if that is why SQLite refused it.
    fn of(error: &anyhow::Error, row: Row<'_>, table: &TableHead) -> Result<Option<Self>> {
        let said = error.to_string();
        let Some(said) = said.strip_prefix("UNIQUE constraint failed: ") else { return Ok(None) };
        let prefix = format!("{}.", table.name);
        let named = said.split(", ").map(|column| column.strip_prefix(&prefix));
        let columns = named.map(|name| {
            let name = name?;
            let at = table.members().position(|member| member.eq_ignore_ascii_case(name))?;
            Some((at, name.to_owned()))
        });
        let Some(columns) = columns.collect::<Option<Vec<_>>>() else { return Ok(None) };
        let all = row.values()?;
        let values = columns.iter().map(|(at, _)| all[*at].clone()).collect();
        let place = String::new();
        Ok(Some(Self { place, table: (table.name.clone(), row.table), columns, values }))
    }

    /// Whether a row is the other one.
    ///
    /// # Errors
    ///
    /// As [`Row::values`].
    pub fn is_other(&self, row: Row<'_>) -> Result<bool> {
        if row.table != self.table.1 {
            return Ok(false);
        }
        let all = row.values()?;
        Ok(self.columns.iter().zip(&self.values).all(|((at, _), value)| all[*at] == *value))
    }

    /// The names of the key's columns.
    #[must_use]
    pub fn key(&self) -> String {
        let names = self.columns.iter().map(|(_, name)| name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Doubled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, _) = &self.table;
        write!(f, "{}: a row of `{table}` has the same {} as one before it", self.place, self.key())
    }
}

impl std::error::Error for Doubled {}

/// If a constraint is violated, what SQLite says of it is all.
fn plain(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<rusqlite::Error>() {
        Some(rusqlite::Error::SqliteFailure(cause, Some(said)))
            if cause.code == ErrorCode::ConstraintViolation =>
        {
            anyhow::anyhow!("{said}")
        }
        _ => error,
    }
}

/// The statement that inserts a row, and what happens to its values.
fn prepare<'c>(
    connection: &'c Connection,
    table: &TableHead,
    shapes: &Shapes,
) -> Result<(Statement<'c>, Takings)> {
    if table.sql.is_none() {
        // SQLite's own counters: rows that were inserted have counted already.
        connection.execute_batch(&format!("DELETE FROM main.{}", quoted(&table.name)))?;
    }
    let takings = Takings::of(connection, table, shapes)?;
    Ok((connection.prepare(&insert(table, |_| false))?, takings))
}

/// The expression that turns its bound bytes into a text in the database's encoding. Older versions
/// of SQLite (3.46, which rusqlite 0.32 brings) read bytes that come straight from a parameter as
/// UTF-8, but not the result of a function; and `substr()` may turn no bytes into NULL.
#[must_use]
pub fn text_of(parameter: &str) -> String {
    format!("CAST(ifnull(substr({parameter}, 1), '') AS TEXT)")
}

/// `OR ABORT` is stronger than what the table's own constraints say, e.g. `ON CONFLICT REPLACE`.
fn insert(table: &TableHead, is_cast: impl Fn(usize) -> bool) -> String {
    let columns: Vec<String> = table.members().map(quoted).collect();
    let mark = |at: usize| {
        let mark = format!("?{}", at + 1);
        if is_cast(at) { text_of(&mark) } else { mark }
    };
    let marks: Vec<String> = (0..columns.len()).map(mark).collect();
    let (name, columns, marks) = (quoted(&table.name), columns.join(", "), marks.join(", "));
    format!("INSERT OR ABORT INTO main.{name}({columns}) VALUES ({marks})")
}

/// Inserts a row; not if one of its texts is odd.
fn put(row: Row<'_>, statement: &mut Statement<'_>) -> Result<bool> {
    for at in 0..row.n_values() {
        if row.is_odd(at) {
            return Ok(false);
        }
        statement.raw_bind_parameter(at + 1, Bound(row.raw(at)))?;
    }
    statement.raw_execute()?;
    Ok(true)
}

/// Inserts a row of which some texts are given by their bytes.
fn put_odd(
    row: Row<'_>,
    odd_texts: OddTexts,
    connection: &Connection,
    table: &TableHead,
) -> Result<()> {
    let is_cast = |at| row.is_odd(at) && odd_texts == OddTexts::Cast;
    let mut statement = connection.prepare_cached(&insert(table, is_cast))?;
    for (at, name) in table.members().enumerate() {
        if row.is_odd(at) && odd_texts == OddTexts::Refused {
            bail!("the text of `{name}` is not Unicode, and the database has another encoding");
        }
        let bound = match row.raw(at) {
            ValueRef::Text(bytes) if is_cast(at) => ValueRef::Blob(bytes),
            value => value,
        };
        statement.raw_bind_parameter(at + 1, Bound(bound))?;
    }
    statement.raw_execute()?;
    Ok(())
}

/// A value on its way into a statement.
struct Bound<'v>(ValueRef<'v>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}
