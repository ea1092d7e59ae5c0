//! Backup, restore, backup: the same bytes, whatever the database is made of.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::support::museum::{content_of, is_backup, names, only_backup, other_live, remove_live};
use crate::support::sandbox::{Sandbox, open};

const PAGE_SIZES: [u32; 8] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];
const ENCODINGS: [&str; 3] = ["UTF-8", "UTF-16le", "UTF-16be"];

/// One of everything that has pages of its own.
const EVERYTHING: &str = "
    PRAGMA user_version=7; PRAGMA application_id=1234567;
    CREATE TABLE empty (a, b);
    CREATE TABLE plain (id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB);
    CREATE TABLE keyed (k TEXT, n INTEGER, PRIMARY KEY (k, n)) WITHOUT ROWID;
    CREATE TABLE generated (a INTEGER, b AS (a * 2) STORED, c AS (a + 1) VIRTUAL);
    CREATE INDEX generated_by_c ON generated (c);
    CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, s TEXT) STRICT;
    CREATE VIRTUAL TABLE words USING fts5 (body);
    CREATE VIRTUAL TABLE places USING rtree (id, x0, x1);
    CREATE VIEW names AS SELECT name FROM plain;
    CREATE TRIGGER counting AFTER INSERT ON plain BEGIN INSERT INTO counted (s) VALUES (new.name); END;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
        INSERT INTO plain (name, data) SELECT 'name ü ' || i, zeroblob(i * 7) FROM n;
    INSERT INTO plain (name, data) VALUES ('overflowing', zeroblob(200000));
    INSERT INTO keyed SELECT name, id FROM plain;
    INSERT INTO generated (a) SELECT id FROM plain;
    INSERT INTO words SELECT name || ' said many words' FROM plain;
    INSERT INTO places SELECT id, id, id + 1 FROM plain;
    DELETE FROM plain WHERE id % 5 = 0;
    ANALYZE;";

/// A sandbox whose database has everything, made after these pragmas.
fn with_everything(pragmas: &str, journal_mode: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let connection = other_live(&sandbox, pragmas, journal_mode);
    connection.execute_batch(EVERYTHING).expect("everything");
    sandbox
}

/// Backs up, changes the database, restores, backs up again: both backups are equal.
fn round(sandbox: &Sandbox, change: impl FnOnce(&Sandbox), what: &str) {
    sandbox.ok(&["db-backup", "--output", "../first"]);
    sandbox.ok(&["db-backup"]);
    change(sandbox);
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    sandbox.ok(&["db-backup", "--output", "../second"]);
    let [first, second] = ["../first", "../second"].map(|folder| only_file(&sandbox.path(folder)));
    assert!(first == second, "{what}: the second backup differs from the first");
}

fn only_file(folder: &Path) -> Vec<u8> {
    let names = names(folder);
    let backups: Vec<_> = names.iter().filter(|name| is_backup(name)).collect();
    let [name] = backups.as_slice() else {
        panic!("not one backup: {names:?}");
    };
    fs_err::read(folder.join(name)).expect("read")
}

fn grow_and_shrink(sandbox: &Sandbox) {
    sandbox.sql(
        "DROP TABLE keyed; DELETE FROM plain WHERE id > 20; UPDATE generated SET a = a + 1;
         CREATE TABLE later (a); PRAGMA user_version=8;
         INSERT INTO later SELECT zeroblob(5000) FROM words LIMIT 30;",
    );
}

#[test]
fn the_round_trip_is_byte_identical_over_page_sizes_encodings_auto_vacuum_and_journal_modes() {
    for (i, page_size) in PAGE_SIZES.into_iter().enumerate() {
        for (j, journal_mode) in ["wal", "delete"].into_iter().enumerate() {
            // Each value of each property meets each of the others, not every triple.
            let encoding = ENCODINGS[(i + j) % 3];
            let auto_vacuum = (i + 2 * j) % 3;
            let pragmas = format!(
                "PRAGMA page_size={page_size}; PRAGMA encoding='{encoding}';
                 PRAGMA auto_vacuum={auto_vacuum};"
            );
            let sandbox = with_everything(&pragmas, journal_mode);
            round(&sandbox, grow_and_shrink, &format!("{pragmas} {journal_mode}"));
        }
    }
}

#[test]
fn the_round_trip_is_byte_identical_over_another_auto_vacuum_in_the_live_database() {
    for (of_backup, of_live) in [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)] {
        let sandbox = with_everything(&format!("PRAGMA auto_vacuum={of_backup};"), "wal");
        let change = |sandbox: &Sandbox| {
            let pragmas = format!("PRAGMA auto_vacuum={of_live};");
            drop(other_live(sandbox, &pragmas, "wal"));
        };
        round(&sandbox, change, &format!("auto_vacuum {of_live} to {of_backup}"));
    }
}

#[test]
fn the_round_trip_is_byte_identical_into_a_missing_database_and_into_a_new_path() {
    let sandbox = with_everything("PRAGMA page_size=1024;", "wal");
    round(&sandbox, remove_live, "missing");
    let backup = only_backup_but_safety(&sandbox);
    sandbox.ok(&["db-restore", "latest", "--into", "copy.db"]);
    let copy = fs_err::read(sandbox.path("copy.db")).expect("read");
    assert!(copy == fs_err::read(backup).expect("read"));
}

fn only_backup_but_safety(sandbox: &Sandbox) -> std::path::PathBuf {
    let mut names = sandbox.backups();
    names.retain(|name| !name.contains("SAFETY"));
    assert_eq!(names.len(), 1, "{names:?}");
    sandbox.path("backups").join(&names[0])
}

#[test]
fn the_round_trip_is_byte_identical_for_a_database_without_tables() {
    let sandbox = Sandbox::new();
    remove_live(&sandbox);
    sandbox.sql("PRAGMA journal_mode=WAL; PRAGMA user_version=3;");
    round(&sandbox, |sandbox| sandbox.sql("CREATE TABLE a (a);"), "no tables");
}

#[test]
fn a_safety_backup_undoes_its_restore() {
    let sandbox = with_everything("", "wal");
    sandbox.ok(&["db-backup"]);
    grow_and_shrink(&sandbox);
    let before = content_of(&sandbox);
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert_ne!(content_of(&sandbox), before);
    sandbox.ok(&["db-restore", "safety", "--yes"]);
    assert_eq!(content_of(&sandbox), before);
}

#[test]
fn a_backup_is_byte_for_byte_what_sqlite_s_own_backup_makes() {
    for (i, page_size) in PAGE_SIZES.into_iter().enumerate() {
        for journal_mode in ["wal", "delete"] {
            let encoding = ENCODINGS[i % 3];
            let pragmas = format!(
                "PRAGMA page_size={page_size}; PRAGMA encoding='{encoding}';
                 PRAGMA auto_vacuum={};",
                i % 3
            );
            let sandbox = with_everything(&pragmas, journal_mode);
            sandbox.ok(&["db-backup"]);
            let ours = fs_err::read(only_backup(&sandbox)).expect("read");
            let theirs = sqlite_s_own(&open(&sandbox.live()), &sandbox.path("theirs.db"));
            assert_eq!(ours.len(), theirs.len());
            let differing: Vec<usize> =
                (0..ours.len()).filter(|at| ours[*at] != theirs[*at]).collect();
            assert!(
                differing.is_empty(),
                "{pragmas} {journal_mode}: {} bytes differ, first {:?}",
                differing.len(),
                differing.first()
            );
        }
    }
}

/// The bytes of a copy made by SQLite's backup API into a new file, in rollback mode.
fn sqlite_s_own(from: &Connection, path: &Path) -> Vec<u8> {
    let mut to = open(path);
    let backup = Backup::new(from, &mut to).expect("begun");
    assert!(matches!(backup.step(-1), Ok(StepResult::Done)));
    drop(backup);
    drop(to);
    let mut bytes = fs_err::read(path).expect("read");
    bytes[18..20].copy_from_slice(&[1, 1]);
    bytes
}
