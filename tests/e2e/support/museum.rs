//! Broken states of a database and of backups, and what tells one content from another.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::support::sandbox::{Sandbox, open};

/// So many rows that the table and its index have interior pages.
pub(crate) const N_ROWS: u32 = 400;

/// A sandbox whose database has interior pages, in a journal mode, and one backup of it; the
/// database then went on: its content is not the backup's any more.
pub(crate) struct Case {
    pub(crate) sandbox: Sandbox,
    /// The content hash of the backup.
    pub(crate) old: String,
    /// The content hash of the live database.
    pub(crate) new: String,
}

impl Case {
    /// With a plain backup.
    pub(crate) fn new(journal_mode: &str) -> Self {
        Self::taken(journal_mode, &["db-backup"])
    }

    /// With a backup in the page store.
    pub(crate) fn stored(journal_mode: &str) -> Self {
        Self::taken(journal_mode, &["db-backup", "--kind", "pre-commit"])
    }

    fn taken(journal_mode: &str, take: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        fill(&sandbox, journal_mode);
        let old = text(&sandbox.json(take)["backups"][0]["content_blake3"]);
        sandbox.sql(
            "DELETE FROM messages WHERE id % 3 = 0;
             INSERT INTO messages (content) VALUES ('written after the backup');",
        );
        let new = content_of(&sandbox);
        assert_ne!(old, new);
        Self { sandbox, old, new }
    }

    /// Demands that a restore over whatever is there now ends in the backup's content.
    pub(crate) fn restores(&self, arguments: &[&str]) {
        let restore = [&["db-restore", "latest", "--yes"], arguments].concat();
        let said = self.sandbox.ok(&restore);
        assert_eq!(content_of(&self.sandbox), self.old, "{said:#?}");
    }

    /// Demands the same, and that these raw bytes were set aside under the live file's name.
    pub(crate) fn restores_and_sets_aside(&self, raw: &[u8], arguments: &[&str]) {
        self.restores(arguments);
        let folder = set_aside(&self.sandbox);
        let folder = folder.unwrap_or_else(|| panic!("{} raw bytes were not set aside", raw.len()));
        let kept = fs_err::read(folder.join("kalito.db")).expect("the raw file");
        assert!(kept == raw, "the raw file was not kept whole");
    }
}

/// Fills the database, in a journal mode and with everything in its main file.
pub(crate) fn fill(sandbox: &Sandbox, journal_mode: &str) {
    sandbox.sql(&format!(
        "PRAGMA journal_mode={journal_mode};
         CREATE INDEX messages_by_content ON messages (content);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {N_ROWS})
         INSERT INTO messages (content) SELECT printf('message %d %064d', i, i * 7919) FROM n;"
    ));
}

/// The content hash of the live database, as a backup into a folder of its own records it.
pub(crate) fn content_of(sandbox: &Sandbox) -> String {
    let document = sandbox.json(&["db-backup", "--output", "../elsewhere"]);
    text(&document["backups"][0]["content_blake3"])
}

/// A JSON value's text.
pub(crate) fn text(value: &serde_json::Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// The folder in which the raw files of an unreadable database were set aside.
pub(crate) fn set_aside(sandbox: &Sandbox) -> Option<PathBuf> {
    names(&sandbox.path("backups"))
        .iter()
        .find(|name| name.starts_with("kalito.db.ASIDE."))
        .map(|name| sandbox.path("backups").join(name))
}

/// The path of the only backup.
pub(crate) fn only_backup(sandbox: &Sandbox) -> PathBuf {
    let names = sandbox.backups();
    let [name] = names.as_slice() else {
        panic!("not one backup: {names:?}");
    };
    sandbox.path("backups").join(name)
}

/// Whether a file name is a backup's.
pub(crate) fn is_backup(name: &str) -> bool {
    [".bak", ".pages"].iter().any(|end| name.ends_with(end))
}

/// The bytes of the database that a backup holds, however it is kept.
pub(crate) fn bytes_of(sandbox: &Sandbox, name: &str) -> Vec<u8> {
    if name.strip_suffix(".bak").is_some() {
        return fs_err::read(sandbox.path("backups").join(name)).expect("read");
    }
    let copy = sandbox.path("copy-of-a-backup.db");
    sandbox.ok(&["db-restore", name, "--into", "copy-of-a-backup.db"]);
    let bytes = fs_err::read(&copy).expect("read");
    fs_err::remove_file(copy).expect("removed");
    bytes
}

/// The record beside a backup.
pub(crate) fn record_path(backup: &Path) -> PathBuf {
    let mut path = backup.as_os_str().to_owned();
    path.push(".json");
    path.into()
}

/// The names in a folder, sorted; none if it is missing.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs_err::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.expect("entry").file_name());
    let mut names: Vec<String> = names.map(|n| n.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Removes the live database with its sidecars, as nobody has it open.
pub(crate) fn remove_live(sandbox: &Sandbox) {
    for name in names(&sandbox.path("backend/db")) {
        fs_err::remove_file(sandbox.path("backend/db").join(name)).expect("removed");
    }
}

/// The raw bytes of the live database, whose WAL is empty.
pub(crate) fn raw(sandbox: &Sandbox) -> Vec<u8> {
    let connection = open(&sandbox.live());
    let _: i64 = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .expect("checkpoint");
    drop(connection);
    fs_err::read(sandbox.live()).expect("read")
}

/// Puts raw bytes in the live database's place, nothing beside them.
pub(crate) fn put(sandbox: &Sandbox, bytes: &[u8]) {
    remove_live(sandbox);
    fs_err::write(sandbox.live(), bytes).expect("written");
}

/// Makes a new live database with other properties, which are pragmas before the first table.
pub(crate) fn other_live(sandbox: &Sandbox, pragmas: &str, journal_mode: &str) -> Connection {
    remove_live(sandbox);
    let connection = open(&sandbox.live());
    connection
        .execute_batch(&format!(
            "{pragmas} PRAGMA journal_mode={journal_mode};
             CREATE TABLE other (id INTEGER PRIMARY KEY, content TEXT);
             INSERT INTO other (content) VALUES ('theirs');"
        ))
        .expect("another database");
    connection
}

/// All rows of `messages`, whatever the size of the pages under them.
pub(crate) fn n_messages(connection: &Connection) -> u32 {
    let count = connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0));
    count.expect("counted")
}

/// Random numbers, the same in every run (<https://prng.di.unimi.it/splitmix64.c>).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a length");
        usize::try_from(self.next() % bound).expect("below a length")
    }

    /// So many random bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let numbers = (0..length.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        numbers.take(length).collect()
    }
}
