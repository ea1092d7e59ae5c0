//! Rows through SQL: two tables side by side in the order of their keys, and single rows by rowid.

use std::cmp::Ordering;
use std::ops::Range;

use anyhow::{Context, Result};
use fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, Statement};

use crate::rows::diff::source::{Key, Select, Source};
use crate::rows::diff::trees::Fate;
use crate::sqlite::connection::quoted;
use crate::sqlite::utf16::{self, Raw};
use crate::sqlite::value::{Value, is_same};

/// One row: its key, then its columns.
pub(super) type Values = Vec<Value>;

/// Receives the rows that differ: their fate, and the row in each state that has it.
pub(super) type Each<'e> =
    &'e mut dyn FnMut(Fate, Option<SelectedRow<'_>>, Option<SelectedRow<'_>>) -> Result<()>;

/// Receives all rows: which of both states has it, and the row in each that has.
pub(super) type EachOfAll<'e> =
    &'e mut dyn FnMut(Ordering, Option<SelectedRow<'_>>, Option<SelectedRow<'_>>) -> Result<()>;

/// The rows of two states in the order of one key, which both statements read first.
pub(super) struct SideBySide<'s> {
    /// Reads the first state.
    pub a: Select<'s>,
    /// Reads the second.
    pub b: Select<'s>,
    /// The columns that pair a row of one table with a row of the other.
    pub key: &'s [Key],
}

impl SideBySide<'_> {
    /// Calls `each` with the fate of every row that is not equal in both. The columns to compare,
    /// `n_columns` with the key, are read before others.
    ///
    /// # Errors
    ///
    /// If SQLite cannot read or order them, or `each` fails.
    pub(super) fn each_difference(&self, n_columns: usize, each: Each<'_>) -> Result<()> {
        self.each(&mut |order, one, other| match (order, one, other) {
            (Ordering::Less, ..) => each(Fate::Removed, one, None),
            (Ordering::Greater, ..) => each(Fate::Added, None, other),
            (Ordering::Equal, Some(a), Some(b)) if !a.is_same(b, n_columns)? => {
                each(Fate::Changed, one, other)
            }
            (Ordering::Equal, ..) => Ok(()),
        })
    }

    /// Calls `each` with every row: which of both has it, and the row in each state that has it.
    ///
    /// # Errors
    ///
    /// If SQLite cannot read or order them, or `each` fails.
    pub(super) fn each(&self, each: EachOfAll<'_>) -> Result<()> {
        let mut ordering = Order::new(self.a.connection, self.key)?;
        let (mut a, mut b) = (self.a.prepare()?, self.b.prepare()?);
        let (mut a, mut b) = (a.query([])?, b.query([])?);
        a.advance()?;
        b.advance()?;
        loop {
            let one = a.get().map(|row| SelectedRow { row, raw: self.a.raw });
            let other = b.get().map(|row| SelectedRow { row, raw: self.b.raw });
            let order = match (one, other) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(one), Some(other)) => ordering.of(one, other)?,
            };
            let before = one.filter(|_| order != Ordering::Greater);
            let after = other.filter(|_| order != Ordering::Less);
            each(order, before, after)?;
            if order != Ordering::Greater {
                a.advance()?;
            }
            if order != Ordering::Less {
                b.advance()?;
            }
        }
    }
}

/// Calls `each` with every row of a table.
///
/// # Errors
///
/// If SQLite cannot read them, or `each` fails.
pub(super) fn each_row(
    connection: &Connection,
    source: &Source,
    each: &mut dyn FnMut(SelectedRow<'_>) -> Result<()>,
) -> Result<()> {
    let select = source.select(connection, &source.columns)?;
    let mut statement = select.prepare()?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(SelectedRow { row, raw: select.raw })?;
    }
    Ok(())
}

/// Counts the rows of a table.
///
/// # Errors
///
/// If SQLite cannot read them.
pub(super) fn count(connection: &Connection, source: &Source) -> Result<u64> {
    let question = format!("SELECT count(*) FROM main.{}", quoted(&source.from));
    Ok(connection.query_row(&question, [], |row| row.get::<_, i64>(0))?.try_into()?)
}

/// Reads single rows by their rowids.
pub(super) struct Lookup<'c> {
    statement: Statement<'c>,
    n_columns: usize,
    raw: Option<Raw>,
}

impl<'c> Lookup<'c> {
    /// Reads some columns of a table.
    ///
    /// # Errors
    ///
    /// If SQL has no name for its rowid.
    pub(super) fn of(
        connection: &'c Connection,
        source: &Source,
        columns: &[String],
    ) -> Result<Self> {
        let select = source.select_one(connection, columns)?;
        let statement = select.prepare()?;
        let raw = select.raw;
        let n_columns = raw.map_or(statement.column_count(), |raw| raw.from);
        Ok(Self { statement, n_columns, raw })
    }

    /// One row's values.
    ///
    /// # Errors
    ///
    /// If it is not there.
    pub(super) fn row(&mut self, rowid: i64) -> Result<Values> {
        let mut rows = self.statement.query([rowid])?;
        let row = rows.next()?.with_context(|| format!("the row {rowid} cannot be found"))?;
        SelectedRow { row, raw: self.raw }.values(0..self.n_columns)
    }
}

/// A row as a [`Select`] reads it.
#[derive(Clone, Copy)]
pub(super) struct SelectedRow<'r> {
    row: &'r Row<'r>,
    /// How to read the bytes of its texts.
    raw: Option<Raw>,
}

impl SelectedRow<'_> {
    /// Some of its columns.
    ///
    /// # Errors
    ///
    /// If it has fewer.
    pub(super) fn values(self, columns: Range<usize>) -> Result<Values> {
        columns.map(|column| utf16::value(self.row, column, self.raw)).collect()
    }

    /// Whether its first columns equal those of another row.
    ///
    /// # Errors
    ///
    /// If one has fewer.
    pub(super) fn is_same(self, other: SelectedRow<'_>, n_columns: usize) -> Result<bool> {
        let is_raw = self.raw.is_some() || other.raw.is_some();
        for column in 0..n_columns {
            let is_same = is_same(self.row.get_ref(column)?, other.row.get_ref(column)?);
            let value = |of: SelectedRow<'_>| utf16::value(of.row, column, of.raw);
            if !is_same || is_raw && value(self)? != value(other)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The order of two rows: decided at once for equal keys and integers, else by SQLite itself, which
/// knows every collation.
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

    fn of(&mut self, one: SelectedRow<'_>, other: SelectedRow<'_>) -> Result<Ordering> {
        let (a, b) = (one.row, other.row);
        for (at, statement) in self.statements.iter_mut().enumerate() {
            let mut order = order(statement, a.get_ref(at)?, b.get_ref(at)?)?;
            if let (Ordering::Equal, Some(a_raw), Some(b_raw)) = (order, one.raw, other.raw)
                && is_same(a.get_ref(at)?, b.get_ref(at)?)
            {
                // The same in UTF-8, and maybe two keys anyway.
                let (a, b) = (a.get_ref(a_raw.from + at)?, b.get_ref(b_raw.from + at)?);
                order = a.as_bytes_or_null()?.cmp(&b.as_bytes_or_null()?);
            }
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
