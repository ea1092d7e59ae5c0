//! A chat database of a wanted size, the same at every run.
//!
//! Lengths are what decides how a copy behaves, so they are those of real chats: short questions,
//! longer answers, now and then one that needs overflow pages. The words mean nothing.

use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags, Statement, params};

use crate::dice::Dice;
use crate::interrupt;

const SCHEMA: &str = "
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY,
        title TEXT NOT NULL,
        model TEXT NOT NULL,
        created_at INTEGER NOT NULL
    );
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        session_id INTEGER NOT NULL REFERENCES sessions (id),
        role TEXT NOT NULL,
        content TEXT NOT NULL,
        sent_at INTEGER NOT NULL
    );
    CREATE INDEX messages_by_session ON messages (session_id, sent_at);
    CREATE INDEX sessions_by_time ON sessions (created_at);";

/// One message in 500, which touches about one page in 50: what a day does to a year's chats.
const A_DAY: &str = "
    PRAGMA foreign_keys = ON;
    WITH RECURSIVE edited (id) AS (
        SELECT 1 UNION ALL
        SELECT id + 500 FROM edited WHERE id + 500 <= (SELECT max(id) FROM messages)
    )
    UPDATE messages SET content = content || ' (edited)' WHERE id IN edited;";

/// 0.1 % of the messages, all over the table.
const ONE_IN_A_THOUSAND: &str = "
    WITH RECURSIVE changed (id) AS (
        SELECT 2 UNION ALL
        SELECT id + 1000 FROM changed WHERE id + 1000 <= (SELECT max(id) FROM messages)
    )
    UPDATE messages SET content = content || ' (changed)' WHERE id IN changed;";

const SESSIONS_PER_TRANSACTION: u64 = 1000;
const POOL_BYTES: usize = 1 << 18;
const WORDS: [&str; 24] = [
    "about",
    "answer",
    "because",
    "compile",
    "could",
    "database",
    "example",
    "function",
    "I",
    "index",
    "is",
    "it",
    "migration",
    "no",
    "of",
    "please",
    "query",
    "rather",
    "session",
    "table",
    "that",
    "the",
    "why",
    "you",
];

/// Creates the database, in WAL mode, at least as large as wanted.
pub(super) fn create(path: &Path, size_bytes: u64) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch(SCHEMA)?;
    let mut writer = Writer::new();
    while file_bytes(&connection)? < size_bytes {
        interrupt::check()?;
        connection.execute_batch("BEGIN")?;
        writer.fill(&connection, size_bytes)?;
        connection.execute_batch("COMMIT")?;
    }
    connection.execute_batch("PRAGMA journal_mode = WAL;").context("could not switch to WAL")
}

/// Changes what a day of use would change.
pub(super) fn use_for_a_day(path: &Path) -> Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.execute_batch(A_DAY)?;
    Ok(())
}

/// Changes one message in 1000.
pub(super) fn change_one_in_a_thousand(path: &Path) -> Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.execute_batch(ONE_IN_A_THOUSAND)?;
    Ok(())
}

/// How many messages there are.
pub(super) fn n_messages(path: &Path) -> Result<u64> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let n: i64 = connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?;
    Ok(n.cast_unsigned())
}

/// How many messages a day's use has changed.
pub(super) fn n_edited(path: &Path) -> Result<u64> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let sql = "SELECT count(*) FROM messages WHERE id % 500 = 1 AND content LIKE '% (edited)'";
    let n: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(n.cast_unsigned())
}

fn file_bytes(connection: &Connection) -> Result<u64> {
    let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let bytes: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(bytes.cast_unsigned())
}

/// Where the writing is: the next session and the state of the dice.
struct Writer {
    session: i64,
    second: i64,
    dice: Dice,
    pool: String,
}

impl Writer {
    fn new() -> Self {
        let mut dice = Dice::new(0x6b61_6c69_746f);
        let mut pool = String::with_capacity(POOL_BYTES + 16);
        while pool.len() < POOL_BYTES {
            pool.push_str(WORDS[dice.below(WORDS.len())]);
            pool.push(' ');
        }
        Self { session: 0, second: 1_700_000_000, dice, pool }
    }

    /// Writes one transaction's sessions, or as many as the size needs.
    fn fill(&mut self, connection: &Connection, size_bytes: u64) -> Result<()> {
        let mut session = connection.prepare("INSERT INTO sessions VALUES (?1, ?2, ?3, ?4)")?;
        let mut message = connection.prepare(
            "INSERT INTO messages (session_id, role, content, sent_at) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for _ in 0..SESSIONS_PER_TRANSACTION {
            self.session += 1;
            let title_bytes = 12 + self.dice.below(40);
            let title = self.dice.text(&self.pool, title_bytes);
            session.execute(params![self.session, title, "small-4", self.second])?;
            self.talk(&mut message)?;
            if file_bytes(connection)? >= size_bytes {
                break;
            }
        }
        Ok(())
    }

    /// Writes the questions and answers of one session.
    fn talk(&mut self, message: &mut Statement<'_>) -> Result<()> {
        for _ in 0..2 + self.dice.below(16) {
            let question_bytes = 20 + self.dice.below(200);
            let answer_bytes = match self.dice.below(20) {
                0 => 4000 + self.dice.below(8000),
                _ => 150 + self.dice.below(900),
            };
            for (role, n_bytes) in [("user", question_bytes), ("assistant", answer_bytes)] {
                self.second += 5 + i64::try_from(self.dice.below(60))?;
                let content = self.dice.text(&self.pool, n_bytes);
                message.execute(params![self.session, role, content, self.second])?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_databases_of_one_size_are_byte_identical_and_barely_larger_than_asked() {
        let folder = tempfile::tempdir().expect("folder");
        let (a, b) = (folder.path().join("a.db"), folder.path().join("b.db"));
        for path in [&a, &b] {
            create(path, 1 << 20).expect("created");
        }
        let bytes = fs_err::read(&a).expect("read");
        assert_eq!(bytes, fs_err::read(&b).expect("read"));
        assert!((1 << 20..(1 << 20) + (1 << 18)).contains(&bytes.len()));
        assert_eq!(&bytes[18..20], [2, 2], "the header says WAL");
    }

    #[test]
    fn a_day_changes_some_messages_and_loses_none() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("chat.db");
        create(&path, 1 << 20).expect("created");
        let before = n_messages(&path).expect("counted");
        use_for_a_day(&path).expect("used");
        assert_eq!(n_messages(&path).expect("counted"), before);
        let edited = n_edited(&path).expect("counted");
        assert_eq!(edited, before.div_ceil(500));
    }
}
