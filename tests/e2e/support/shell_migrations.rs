//! A workspace whose migration is a small shell script around the `sqlite3` shell.

use rusqlite::Connection;

use crate::support::sandbox::{Sandbox, open};
use crate::support::strace::complain;

/// The live database by its own path, for migrations that ignore what they are told.
pub(crate) const LIVE: &str = "backend/db/kalito.db";

/// A workspace whose migration is this script; `$DB` is the file it was pointed to. Says loudly if
/// the `sqlite3` shell is missing.
pub(crate) fn host(script: &str) -> Option<Sandbox> {
    let sandbox = Sandbox::new();
    if sandbox.command("sqlite3").arg("-version").output().is_err() {
        complain("SKIPPED: a test of migrations needs the `sqlite3` shell");
        return None;
    }
    sandbox.configure("migrate = ['sh', 'migrate.sh']\nmigrate-env = 'APP_DB'");
    rewrite(&sandbox, script);
    Some(sandbox)
}

/// Gives the workspace another migration.
pub(crate) fn rewrite(sandbox: &Sandbox, script: &str) {
    let sqlite = "q() { sqlite3 -bail -cmd '.timeout 10000' \"$1\" \"$2\"; }";
    sandbox.write("migrate.sh", format!("set -e\nDB=$APP_DB\n{sqlite}\n{script}\n"));
}

/// A host with sessions and their messages, joined by a foreign key that cascades.
pub(crate) fn host_with_children(script: &str) -> Option<Sandbox> {
    let sandbox = host(script)?;
    sandbox.sql(
        "CREATE TABLE sessions (id INTEGER PRIMARY KEY, title TEXT, mood TEXT);
         CREATE TABLE notes (id INTEGER PRIMARY KEY, content TEXT,
             session INTEGER REFERENCES sessions(id) ON DELETE CASCADE);
         INSERT INTO sessions VALUES (1, 'a', 'calm'), (2, 'b', 'loud');
         INSERT INTO notes (content, session) VALUES ('x', 1), ('y', 1), ('z', 2);",
    );
    Some(sandbox)
}

/// Rebuilds `sessions` the way that loses its children: with foreign keys on, dropping the old table
/// deletes its rows, and that cascades.
pub(crate) const CASCADE: &str = "q \"$DB\" \"PRAGMA foreign_keys=ON; BEGIN;
    CREATE TABLE new_sessions (id INTEGER PRIMARY KEY, title TEXT NOT NULL, mood TEXT);
    INSERT INTO new_sessions SELECT id, title, mood FROM sessions;
    DROP TABLE sessions; ALTER TABLE new_sessions RENAME TO sessions; COMMIT;\"";

/// One table more.
pub(crate) const ADD: &str = "q \"$DB\" 'CREATE TABLE IF NOT EXISTS added (a)'";

/// The content of the live database, by the hash that a backup of it records.
pub(crate) fn content(sandbox: &Sandbox) -> String {
    let document = sandbox.json(&["db-backup", "--output", "elsewhere"]);
    let hash = document["backups"][0]["content_blake3"].as_str();
    hash.unwrap_or_else(|| panic!("no backup: {document:#}")).to_owned()
}

/// The number of rows in a table of the live database.
pub(crate) fn n_rows(sandbox: &Sandbox, table: &str) -> i64 {
    count(&open(&sandbox.live()), table)
}

/// The number of rows in a table.
pub(crate) fn count(connection: &Connection, table: &str) -> i64 {
    let question = format!("SELECT count(*) FROM {table}");
    connection.query_row(&question, [], |row| row.get(0)).expect("a count")
}

/// Names of stages and scratch folders that were left in the backups folder.
pub(crate) fn leftovers(sandbox: &Sandbox) -> Vec<String> {
    let Ok(entries) = fs_err::read_dir(sandbox.path("backups")) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.expect("entry").file_name().into_string());
    names.filter_map(Result::ok).filter(|name| name.contains(".stage-")).collect()
}

/// The times of a transcript made equal.
pub(crate) fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut words = text.split_inclusive([' ', '\n']).peekable();
    while let Some(word) = words.next() {
        let is_unit = |word: &&str| matches!(word.trim(), "ms" | "s");
        let is_number = word.trim().parse::<f64>().is_ok();
        if is_number && words.peek().is_some_and(is_unit) {
            let unit = words.next().unwrap_or_default();
            masked.push_str("9 ms");
            masked.push_str(&unit[unit.trim_end().len()..]);
        } else {
            masked.push_str(word);
        }
    }
    masked
}
