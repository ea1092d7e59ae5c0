//! Searches for the values that columns lost: a private temporary database, which spills to the
//! disk, compares them with the values that other columns gained.
//!
//! Only gained values count, so an equal value that was there before takes over nothing. Texts may
//! be anywhere. Numbers, which may be equal by chance, count only if all are in one column or in
//! columns of one name.

use anyhow::Result;
use rusqlite::{CachedStatement, Connection, params};

use crate::console::interrupt::Interrupt;
use crate::migrate::verdict::canonical_value::{Said, said};
use crate::migrate::verdict::tally::Fate;
use crate::migrate::verdict::value_parts;
use crate::sqlite::connection;
use crate::sqlite::schema::Table;
use crate::sqlite::value::Value;

/// The fates of values that may be lost, in the order in which they are charged.
pub(super) const RISKS: [Fate; 5] =
    [Fate::Null, Fate::Empty, Fate::Short, Fate::Gone, Fate::Removed];

/// Values that columns lost and gained.
pub(super) struct Whereabouts {
    connection: Connection,
    columns: Vec<Column>,
}

/// A column whose values went or came.
struct Column {
    /// Its name: `table.column`.
    name: String,
    /// Whether it is nothing but the number of its row.
    is_number_of_row: bool,
}

/// A column's number here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(i64);

/// Values that are missing from one column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Missing {
    /// Values that are nowhere, by their fates.
    pub n: [u64; RISKS.len()],
    /// Values that it lost, wherever they are.
    pub n_lost: u64,
}

impl Missing {
    /// Values of a fate that are nowhere.
    pub(super) fn of(&self, fate: Fate) -> u64 {
        let at = RISKS.iter().position(|risk| *risk == fate);
        at.and_then(|at| self.n.get(at)).copied().unwrap_or(0)
    }
}

impl Whereabouts {
    /// Creates a search without lost values.
    ///
    /// # Errors
    ///
    /// If there is no room for a temporary file.
    pub(super) fn new() -> Result<Self> {
        let connection = connection::open_workbench()?;
        connection.execute_batch(
            "CREATE TABLE moves (col INTEGER, hash INTEGER, common INTEGER, fate INTEGER);
             CREATE TABLE columns (id INTEGER PRIMARY KEY, name TEXT, numbers INTEGER);
             BEGIN",
        )?;
        Ok(Self { connection, columns: Vec::new() })
    }

    /// Makes a column known.
    pub(super) fn column(&mut self, table: &Table, name: &str) -> Result<Id> {
        let id = i64::try_from(self.columns.len())?;
        let key = table.rowid_column();
        let is_number_of_row = key.is_some_and(|key| key.name.eq_ignore_ascii_case(name));
        self.columns.push(Column { name: format!("{}.{name}", table.name), is_number_of_row });
        let insert = "INSERT INTO columns VALUES (?1, ?2, ?3)";
        self.connection
            .execute(insert, params![id, name.to_ascii_lowercase(), is_number_of_row])?;
        Ok(Id(id))
    }

    /// A column lost a value.
    pub(super) fn lost(&self, column: Id, value: &Value, fate: Fate) -> Result<()> {
        let fate = RISKS.iter().position(|risk| *risk == fate).map_or(9, |at| at);
        self.put(column, said(value), i64::try_from(fate)?)
    }

    /// A column gained a value.
    pub(super) fn gained(&self, column: Id, value: &Value) -> Result<()> {
        self.put(column, said(value), -1)
    }

    fn put(&self, column: Id, said: Option<Said>, fate: i64) -> Result<()> {
        let Some(Said { hash, is_common }) = said else { return Ok(()) };
        let mut insert: CachedStatement<'_> =
            self.connection.prepare_cached("INSERT INTO moves VALUES (?1, ?2, ?3, ?4)")?;
        insert.execute(params![column.0, hash, is_common, fate])?;
        Ok(())
    }

    /// Compares the lost values with the gained ones, column by column.
    ///
    /// # Errors
    ///
    /// If there is no room, or at the user's interrupt.
    pub(super) fn settle(&self, interrupt: &Interrupt) -> Result<()> {
        let _watched = interrupt.watch(&self.connection);
        self.connection.execute_batch(
            "COMMIT;
             CREATE TABLE balance AS SELECT col, hash, max(common) AS common,
                 sum(fate < 0) - sum(fate >= 0) AS net, sum(fate BETWEEN 0 AND 4) AS risky,
                 sum(fate = 0) AS f0, sum(fate = 1) AS f1, sum(fate = 2) AS f2,
                 sum(fate = 3) AS f3, sum(fate = 4) AS f4
                 FROM moves GROUP BY col, hash;
             CREATE TABLE gains AS SELECT hash, col, net AS n FROM balance WHERE net > 0;
             CREATE INDEX gains_by_hash ON gains (hash, col);
             CREATE TABLE losses AS SELECT col, hash, common, min(risky, -net) AS n,
                 f0, f1, f2, f3, f4 FROM balance WHERE net < 0 AND risky > 0;
             CREATE INDEX losses_by_column ON losses (col, common);
             DROP TABLE moves; DROP TABLE balance;
             CREATE TABLE found (col INTEGER, hash INTEGER, PRIMARY KEY (col, hash)) WITHOUT ROWID;",
        )?;
        Ok(())
    }

    /// Whether a value can be put together from gained values: the parts of a list or of JSON.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be read.
    pub(super) fn has_parts(&self, value: &Value) -> Result<bool> {
        let Some(parts) = value_parts::of(value) else { return Ok(false) };
        let mut gain = self.connection.prepare_cached("SELECT 1 FROM gains WHERE hash = ?1")?;
        for part in &parts {
            if !gain.exists([part.hash])? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A value that a column lost was found elsewhere.
    pub(super) fn found(&self, column: Id, value: &Value) -> Result<()> {
        let Some(said) = said(value) else { return Ok(()) };
        let mut insert =
            self.connection.prepare_cached("INSERT OR IGNORE INTO found VALUES (?1, ?2)")?;
        insert.execute(params![column.0, said.hash])?;
        Ok(())
    }

    /// The values that are missing from a column.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be read.
    pub(super) fn missing(&self, column: Id) -> Result<Missing> {
        let mut missing = self.missing_where(
            column,
            "NOT l.common AND NOT EXISTS (SELECT 1 FROM gains AS g WHERE g.hash = l.hash)",
        )?;
        if !self.has_all_numbers(column)? {
            let common = self.missing_where(column, "l.common")?;
            for (n, more) in missing.n.iter_mut().zip(common.n) {
                *n += more;
            }
        }
        let total = "SELECT ifnull(sum(n), 0) FROM losses WHERE col = ?1";
        let n_lost: i64 = self.connection.query_row(total, [column.0], |row| row.get(0))?;
        missing.n_lost = n_lost.unsigned_abs();
        Ok(missing)
    }

    fn missing_where(&self, column: Id, condition: &str) -> Result<Missing> {
        let question = format!(
            "SELECT l.n, l.f0, l.f1, l.f2, l.f3, l.f4 FROM losses AS l WHERE l.col = ?1
             AND {condition} AND NOT EXISTS
                 (SELECT 1 FROM found AS f WHERE f.col = ?1 AND f.hash = l.hash)"
        );
        let mut statement = self.connection.prepare_cached(&question)?;
        let mut rows = statement.query([column.0])?;
        let mut missing = Missing::default();
        while let Some(row) = rows.next()? {
            let mut left = row.get::<_, i64>(0)?.unsigned_abs();
            for (at, n) in missing.n.iter_mut().enumerate() {
                let charged = left.min(row.get::<_, i64>(at + 1)?.unsigned_abs());
                *n += charged;
                left -= charged;
            }
        }
        Ok(missing)
    }

    /// Whether all numbers that a column lost are, as often as before, in one other column or in
    /// columns of one name; or once each in a list of all of them.
    fn has_all_numbers(&self, column: Id) -> Result<bool> {
        let is_number_of_row = usize::try_from(column.0).ok().and_then(|at| self.columns.get(at));
        let is_number_of_row = is_number_of_row.is_some_and(|column| column.is_number_of_row);
        let among = format!(
            "FROM losses AS l JOIN gains AS g ON g.hash = l.hash
             JOIN columns AS c ON c.id = g.col AND (NOT c.numbers OR {is_number_of_row})
             WHERE l.col = ?1 AND l.common"
        );
        let all = "(SELECT sum(n) FROM losses WHERE col = ?1 AND common)";
        let kinds = "(SELECT count(*) FROM losses WHERE col = ?1 AND common)";
        let ways = [
            format!("SELECT 1 {among} GROUP BY g.col HAVING sum(min(l.n, g.n)) >= {all}"),
            format!(
                "SELECT 1 FROM (SELECT c.name AS name, l.n AS n_lost, sum(g.n) AS n {among}
                 GROUP BY c.name, l.hash) GROUP BY name HAVING sum(min(n_lost, n)) >= {all}"
            ),
            format!(
                "SELECT 1 {among} GROUP BY g.col HAVING count(*) = {kinds} AND max(g.n) = 1
                 AND count(*) = (SELECT count(*) FROM gains AS o WHERE o.col = g.col)"
            ),
        ];
        for way in &ways {
            if self.connection.prepare_cached(way)?.exists([column.0])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The name of a column.
    pub(super) fn name(&self, column: Id) -> &str {
        let at = usize::try_from(column.0).ok();
        at.and_then(|at| self.columns.get(at)).map_or("", |column| &column.name)
    }

    /// The column that gained most of the values that a column lost: they are there now.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be read.
    pub(super) fn taker(&self, column: Id) -> Result<Option<Id>> {
        let question = "SELECT g.col FROM losses AS l JOIN gains AS g ON g.hash = l.hash
             WHERE l.col = ?1 GROUP BY g.col ORDER BY sum(min(l.n, g.n)) DESC, g.col LIMIT 1";
        let mut statement = self.connection.prepare_cached(question)?;
        let mut rows = statement.query([column.0])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?.map(Id))
    }
}
