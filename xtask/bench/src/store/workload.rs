//! The database of the series: five tables, and what changes in them from checkpoint to checkpoint.
//!
//! Rows of 240 bytes on average, in pages that zstd makes about 2.1 times smaller, each by itself: texts
//! of many words, numbers, keys in hexadecimal, and vectors that nothing makes smaller. The same at
//! every run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags, Statement, params};

use crate::dice::Dice;
use crate::interrupt;
use crate::store::words;

const SCHEMA: &str = "
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE sessions (id INTEGER PRIMARY KEY, title TEXT, model TEXT, created_at INTEGER);
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY, session_id INTEGER, role TEXT, content TEXT, sent_at INTEGER
    );
    CREATE TABLE activities (
        id INTEGER PRIMARY KEY, session_id INTEGER, kind TEXT, detail TEXT, at INTEGER
    );
    CREATE TABLE memories (id INTEGER PRIMARY KEY, key TEXT UNIQUE, summary TEXT, embedding BLOB);
    CREATE TABLE links (
        id INTEGER PRIMARY KEY, memory_id INTEGER, message_id INTEGER, weight REAL
    );
    CREATE INDEX messages_by_session ON messages (session_id, sent_at);
    CREATE INDEX activities_by_time ON activities (at);";

const TABLES: [&str; 5] = ["sessions", "messages", "activities", "memories", "links"];

const INSERTS: [&str; 5] = [
    "INSERT INTO sessions (title, model, created_at) VALUES (?1, 'small-4', ?2)",
    "INSERT INTO messages (session_id, role, content, sent_at) VALUES (?1, ?2, ?3, ?4)",
    "INSERT INTO activities (session_id, kind, detail, at) VALUES (?1, ?2, ?3, ?4)",
    "INSERT INTO memories (key, summary, embedding) VALUES (?1, ?2, ?3)",
    "INSERT INTO links (memory_id, message_id, weight) VALUES (?1, ?2, ?3)",
];

/// Of one row by its id: most keep their length, some become longer and move in their index.
const UPDATES: [&str; 7] = [
    "UPDATE sessions SET title = substr(?2, 1, length(title)) WHERE id = ?1",
    "UPDATE messages SET content = ?2 || substr(content, 41) WHERE id = ?1",
    "UPDATE activities SET detail = substr(detail, 1, length(detail) - 12) || substr(?2, 1, 10)
        || '\"}' WHERE id = ?1",
    "UPDATE memories SET embedding = ?2 WHERE id = ?1",
    "UPDATE links SET weight = ?2 WHERE id = ?1",
    "UPDATE messages SET content = content || ?2, sent_at = sent_at + 1 WHERE id = ?1",
    "UPDATE activities SET detail = substr(detail, 1, length(detail) - 12) || substr(?2, 1, 10)
        || '\"}', at = at + 1 WHERE id = ?1",
];
const MOVED_MESSAGE: usize = 5;
const MOVED_ACTIVITY: usize = 6;
/// A quarter of the activities, an eighth of the messages.
const MOVES: usize = 24;

const SESSIONS_PER_TRANSACTION: usize = 500;
const POOL_BYTES: usize = 6 << 20;
const EDIT_BYTES: usize = 40;
const EMBEDDING_BYTES: usize = 128;
/// Of the rows, before each checkpoint.
const ONE_ROW_IN: u64 = 1000;

/// A database and the dice that decide what comes next in it.
pub(crate) struct Workload {
    live: PathBuf,
    dice: Dice,
    pool: String,
    /// Of each table; they only grow while it is filled.
    n_rows: [u64; 5],
}

impl Workload {
    /// Creates the database, in WAL mode, at least as large as wanted.
    pub(crate) fn create(live: &Path, size_bytes: u64) -> Result<Self> {
        let mut dice = Dice::new(0x7365_7269_6573);
        let pool = words::pool(&mut dice, POOL_BYTES);
        let mut workload = Self { live: live.to_owned(), dice, pool, n_rows: [0; 5] };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = Connection::open_with_flags(live, flags)?;
        connection.execute_batch(SCHEMA)?;
        while file_bytes(&connection)? < size_bytes {
            interrupt::check()?;
            connection.execute_batch("BEGIN")?;
            workload.fill(&connection, size_bytes)?;
            connection.execute_batch("COMMIT")?;
        }
        for (n_rows, table) in workload.n_rows.iter_mut().zip(TABLES) {
            let sql = format!("SELECT count(*) FROM {table}");
            let n: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
            *n_rows = n.cast_unsigned();
        }
        connection.execute_batch("PRAGMA journal_mode = WAL").context("could not switch to WAL")?;
        drop(connection);
        fs_err::File::open(live)?.sync_all()?;
        Ok(workload)
    }

    /// How many rows there are.
    pub(super) fn n_rows(&self) -> u64 {
        self.n_rows.iter().sum()
    }

    /// Changes one row in 1000, at random places, and brings all of it into the file itself. Returns
    /// how many were changed.
    pub(super) fn change(&mut self) -> Result<u64> {
        let connection = self.open()?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let n_wanted = self.n_rows().div_ceil(ONE_ROW_IN);
        {
            let mut updates = prepared(&connection, UPDATES)?;
            for _ in 0..n_wanted {
                self.change_one(&mut updates)?;
            }
        }
        connection.execute_batch("COMMIT")?;
        drop(connection);
        self.settle()?;
        Ok(n_wanted)
    }

    /// Empties the WAL, so that nobody is timed who happens to be the last to close the database, and
    /// so that the file can be compared.
    pub(super) fn settle(&self) -> Result<()> {
        let connection = self.open()?;
        let busy: i64 =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get(0))?;
        anyhow::ensure!(busy == 0, "`{}` is in use", self.live.display());
        Ok(())
    }

    fn open(&self) -> Result<Connection> {
        Ok(Connection::open_with_flags(&self.live, OpenFlags::SQLITE_OPEN_READ_WRITE)?)
    }

    fn change_one(&mut self, updates: &mut [Statement<'_>; 7]) -> Result<()> {
        let (mut table, mut row) = (0, self.dice.bits() % self.n_rows());
        while row >= self.n_rows[table] {
            row -= self.n_rows[table];
            table += 1;
        }
        let id = i64::try_from(row)? + 1;
        let changed = match TABLES[table] {
            "memories" => updates[table].execute(params![id, embedding(&mut self.dice)])?,
            "links" => updates[table].execute(params![id, number(&mut self.dice, 1000)?])?,
            name => {
                let text = self.dice.text(&self.pool, EDIT_BYTES);
                let update = match (name, self.dice.below(MOVES)) {
                    ("messages", ..3) => MOVED_MESSAGE,
                    ("activities", ..6) => MOVED_ACTIVITY,
                    _ => table,
                };
                updates[update].execute(params![id, text])?
            }
        };
        anyhow::ensure!(changed == 1, "row {id} of {} is missing", TABLES[table]);
        Ok(())
    }

    /// Writes one transaction's sessions, or as many as the size needs.
    fn fill(&mut self, connection: &Connection, size_bytes: u64) -> Result<()> {
        let mut inserts = prepared(connection, INSERTS)?;
        for _ in 0..SESSIONS_PER_TRANSACTION {
            self.session(&mut inserts)?;
            if file_bytes(connection)? >= size_bytes {
                break;
            }
        }
        Ok(())
    }

    /// Writes one session with what belongs to it.
    fn session(&mut self, inserts: &mut [Statement<'_>; 5]) -> Result<()> {
        let [session, message, activity, memory, link] = inserts;
        let Self { dice, pool, n_rows, .. } = self;
        n_rows[0] += 1;
        let id = n_rows[0].cast_signed();
        let mut second = 1_700_000_000 + id * 4000;
        let title_bytes = 12 + dice.below(EDIT_BYTES - 12);
        session.execute(params![dice.text(pool, title_bytes), second])?;
        for n in 0..12 {
            second += 5 + number(dice, 60)?;
            let (role, n_bytes) = match (n % 2, dice.below(20)) {
                (0, _) => ("user", EDIT_BYTES + dice.below(160)),
                (_, 0) => ("assistant", 4000 + dice.below(3500)),
                _ => ("assistant", 150 + dice.below(640)),
            };
            message.execute(params![id, role, dice.text(pool, n_bytes), second])?;
        }
        for _ in 0..14 {
            let kind = ["opened", "searched", "answered", "edited", "closed"][dice.below(5)];
            let n_bytes = 10 + dice.below(EDIT_BYTES - 10);
            second += number(dice, 30)?;
            let (took, about) = (dice.below(1000), dice.text(pool, n_bytes));
            let detail = format!(r#"{{"origin":"web","ms":{took},"about":"{about}"}}"#);
            activity.execute(params![id, kind, detail, second])?;
        }
        for n in 0..2 {
            let key = format!("{:016x}{:016x}", dice.bits(), dice.bits());
            let n_bytes = 60 + dice.below(200);
            memory.execute(params![key, dice.text(pool, n_bytes), embedding(dice)])?;
            for _ in 0..3 {
                let message_id = (id - 1) * 12 + number(dice, 12)? + 1;
                link.execute(params![id * 2 + n - 1, message_id, number(dice, 1000)?])?;
            }
        }
        Ok(())
    }
}

/// Random bytes: what a vector of numbers is to a compressor.
fn embedding(dice: &mut Dice) -> Vec<u8> {
    (0..EMBEDDING_BYTES / 8).flat_map(|_| dice.bits().to_le_bytes()).collect()
}

fn number(dice: &mut Dice, end: usize) -> Result<i64> {
    Ok(i64::try_from(dice.below(end))?)
}

fn prepared<'c, const N: usize>(
    connection: &'c Connection,
    statements: [&str; N],
) -> Result<[Statement<'c>; N]> {
    let prepared: Result<Vec<_>, _> =
        statements.iter().map(|statement| connection.prepare(statement)).collect();
    prepared?.try_into().map_err(|_| anyhow::anyhow!("a statement is missing"))
}

fn file_bytes(connection: &Connection) -> Result<u64> {
    let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let bytes: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(bytes.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::pages::Pages;

    #[test]
    fn one_row_in_a_thousand_touches_about_one_page_in_fifty() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("live.db");
        let mut workload = Workload::create(&path, 8 << 20).expect("created");
        let mut pages = Pages::read(&path).expect("read");
        assert!((2048..2048 + 64).contains(&pages.len()), "{} pages", pages.len());
        for _ in 0..3 {
            let n_rows = workload.change().expect("changed");
            assert_eq!(n_rows, workload.n_rows().div_ceil(1000));
            let after = Pages::read(&path).expect("read");
            let n_changed = after.n_unlike(&pages);
            assert!((32..=56).contains(&n_changed), "{n_changed} pages of {}", after.len());
            pages = after;
        }
    }
}
