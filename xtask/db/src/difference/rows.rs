//! Rows through SQL: two tables side by side in the order of their keys, and single rows by rowid.

use std::cmp::Ordering;

use anyhow::{Context, Result};
use fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, Statement};

use crate::database::quoted;
use crate::difference::source::{Key, Source};
use crate::difference::trees::Fate;
use crate::difference::value::{Value, is_same};

/// One row: its key, then its columns.
pub(super) type Values = Vec<Value>;

/// What takes the rows that differ: their fate, and the row in each state that has it.
pub(super) type Each<'e> =
    &'e mut dyn FnMut(Fate, Option<&Row<'_>>, Option<&Row<'_>>) -> Result<()>;

/// Calls `each` with the fate of every row that is not equal in both. Both statements read the key
/// in its order, then the columns to compare, `n_columns` with the key, then others.
///
/// # Errors
///
/// Where SQLite cannot read or order them, or `each` fails.
pub(super) fn each_difference(
    (a, a_select): (&Connection, &str),
    (b, b_select): (&Connection, &str),
    (key, n_columns): (&[Key], usize),
    each: Each<'_>,
) -> Result<()> {
    let mut ordering = Order::new(a, key)?;
    let (mut a, mut b) = (a.prepare(a_select)?, b.prepare(b_select)?);
    let (mut a, mut b) = (a.query([])?, b.query([])?);
    a.advance()?;
    b.advance()?;
    loop {
        let order = match (a.get(), b.get()) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => ordering.of(a, b)?,
        };
        match order {
            Ordering::Less => each(Fate::Removed, a.get(), None)?,
            Ordering::Greater => each(Fate::Added, None, b.get())?,
            Ordering::Equal => {
                if let (Some(one), Some(other)) = (a.get(), b.get())
                    && !is_same_row(one, other, n_columns)?
                {
                    each(Fate::Changed, Some(one), Some(other))?;
                }
            }
        }
        if order != Ordering::Greater {
            a.advance()?;
        }
        if order != Ordering::Less {
            b.advance()?;
        }
    }
}

/// Calls `each` with every row of a table.
///
/// # Errors
///
/// Where SQLite cannot read them, or `each` fails.
pub(super) fn each_row(
    connection: &Connection,
    source: &Source,
    each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
) -> Result<()> {
    let mut statement = connection.prepare(&source.select(&source.columns)?)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(row)?;
    }
    Ok(())
}

/// Counts the rows of a table.
///
/// # Errors
///
/// Where SQLite cannot read them.
pub(super) fn count(connection: &Connection, source: &Source) -> Result<u64> {
    let question = format!("SELECT count(*) FROM main.{}", quoted(&source.from));
    Ok(connection.query_row(&question, [], |row| row.get::<_, i64>(0))?.try_into()?)
}

/// Reads single rows by their rowids.
pub(super) struct Lookup<'c>(Statement<'c>);

impl<'c> Lookup<'c> {
    /// Of some columns of a table.
    ///
    /// # Errors
    ///
    /// Where SQL has no name for its rowid.
    pub(super) fn of(
        connection: &'c Connection,
        source: &Source,
        columns: &[String],
    ) -> Result<Self> {
        Ok(Self(connection.prepare(&source.select_one(columns)?)?))
    }

    /// One row's values.
    ///
    /// # Errors
    ///
    /// Where it is not there.
    pub(super) fn row(&mut self, rowid: i64) -> Result<Values> {
        let n_columns = self.0.column_count();
        let mut rows = self.0.query([rowid])?;
        let row = rows.next()?.with_context(|| format!("the row {rowid} cannot be found"))?;
        values(row, 0..n_columns)
    }
}

/// Some columns of a row.
///
/// # Errors
///
/// Where it has fewer.
pub(super) fn values(row: &Row<'_>, columns: std::ops::Range<usize>) -> Result<Values> {
    columns.map(|column| Ok(row.get_ref(column)?.into())).collect()
}

fn is_same_row(a: &Row<'_>, b: &Row<'_>, n_columns: usize) -> Result<bool> {
    for column in 0..n_columns {
        if !is_same(a.get_ref(column)?, b.get_ref(column)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Which of two rows comes first: told at once for equal keys and integers, else by SQLite itself,
/// which knows every collation.
struct Order<'c> {
    statements: Vec<Statement<'c>>,
    descending: Vec<bool>,
}

impl<'c> Order<'c> {
    fn new(connection: &'c Connection, keys: &[Key]) -> Result<Self> {
        let statements = keys.iter().map(|key| {
            let collation = if key.collation.is_empty() { "BINARY" } else { &key.collation };
            let collation = quoted(collation);
            let question =
                format!("SELECT ?1 IS ?2 COLLATE {collation}, ?1 < ?2 COLLATE {collation}");
            Ok(connection.prepare(&question)?)
        });
        Ok(Self {
            statements: statements.collect::<Result<_>>()?,
            descending: keys.iter().map(|key| key.descending).collect(),
        })
    }

    fn of(&mut self, a: &Row<'_>, b: &Row<'_>) -> Result<Ordering> {
        for (at, statement) in self.statements.iter_mut().enumerate() {
            let order = order(statement, a.get_ref(at)?, b.get_ref(at)?)?;
            if order != Ordering::Equal {
                return Ok(if self.descending[at] { order.reverse() } else { order });
            }
        }
        Ok(Ordering::Equal)
    }
}

fn order(statement: &mut Statement<'_>, a: ValueRef<'_>, b: ValueRef<'_>) -> Result<Ordering> {
    match (a, b) {
        (ValueRef::Integer(a), ValueRef::Integer(b)) => return Ok(a.cmp(&b)),
        (a, b) if is_same(a, b) => return Ok(Ordering::Equal),
        (ValueRef::Null, _) => return Ok(Ordering::Less),
        (_, ValueRef::Null) => return Ok(Ordering::Greater),
        _ => {}
    }
    let pair = [ToSqlOutput::Borrowed(a), ToSqlOutput::Borrowed(b)];
    let (is_equal, is_less) = statement.query_row(pair, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(match (is_equal, is_less) {
        (true, _) => Ordering::Equal,
        (false, true) => Ordering::Less,
        (false, false) => Ordering::Greater,
    })
}
