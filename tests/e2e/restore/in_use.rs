//! `db-restore` while others have the live database open: both continue, or it is refused and
//! unchanged.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rusqlite::Connection;

use crate::support::museum::{Case, N_ROWS, content_of, n_messages, other_live, text};
use crate::support::sandbox::{messages, open};

const LATEST: [&str; 3] = ["db-restore", "latest", "--yes"];
const RESTORE: [&str; 5] = ["db-restore", "latest", "--yes", "--busy-timeout", "1"];

/// Demands exit 3, a message that names this process, and an unchanged live database.
fn refused_as_locked(case: &Case, let_go: impl FnOnce()) {
    let said = case.sandbox.run(&RESTORE);
    assert_eq!(said.code, Some(3), "{said:#?}");
    assert!(said.err.contains("stayed locked for"), "{said:#?}");
    assert!(said.err.matches("database is locked").count() <= 1, "{said:#?}");
    if cfg!(target_os = "linux") {
        // A child that another test is about to start has it open too, for a moment.
        let holder = format!("(process {})", std::process::id());
        assert!(said.err.contains(&holder) && said.err.contains(" it open"), "{said:#?}");
    }
    let_go();
    assert_eq!(content_of(&case.sandbox), case.new);
}

#[test]
fn a_writer_that_holds_the_lock_makes_the_restore_give_up_unchanged() {
    for journal_mode in ["wal", "delete"] {
        for begin in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
            let case = Case::new(journal_mode);
            let writer = open(&case.sandbox.live());
            writer.execute_batch(begin).expect("begun");
            refused_as_locked(&case, || writer.execute_batch("ROLLBACK").expect("ended"));
        }
    }
}

#[test]
fn a_reader_of_a_rollback_mode_database_makes_the_restore_give_up_unchanged() {
    let case = Case::new("delete");
    let reader = open(&case.sandbox.live());
    reader.execute_batch("BEGIN").expect("begun");
    let before = n_messages(&reader);
    refused_as_locked(&case, || {
        assert_eq!(n_messages(&reader), before);
        reader.execute_batch("COMMIT").expect("ended");
    });
    case.restores(&[]);
    assert_eq!(n_messages(&reader), N_ROWS + 3);
}

#[test]
fn a_reader_of_a_wal_database_keeps_its_snapshot_over_a_restore() {
    let case = Case::new("wal");
    let reader = open(&case.sandbox.live());
    reader.execute_batch("BEGIN").expect("begun");
    let before = n_messages(&reader);
    assert_ne!(before, N_ROWS + 3);
    case.sandbox.ok(&RESTORE);
    assert_eq!(n_messages(&reader), before, "the snapshot changed");
    reader.execute_batch("COMMIT").expect("ended");
    assert_eq!(n_messages(&reader), N_ROWS + 3);
    assert_eq!(content_of(&case.sandbox), case.old);
}

#[test]
fn a_connection_opened_before_and_first_used_after_a_restore_sees_and_writes_the_new_state() {
    for journal_mode in ["wal", "delete"] {
        let case = Case::new(journal_mode);
        let idle = open(&case.sandbox.live());
        case.sandbox.ok(&RESTORE);
        assert_eq!(n_messages(&idle), N_ROWS + 3);
        idle.execute("INSERT INTO messages (content) VALUES ('later')", []).expect("written");
        drop(idle);
        let last = messages(&case.sandbox.live()).pop();
        assert_eq!(last.as_deref(), Some("later"));
    }
}

#[test]
fn a_prepared_statement_and_a_cached_schema_survive_a_restore_of_another_schema() {
    for journal_mode in ["wal", "delete"] {
        let case = Case::new(journal_mode);
        case.sandbox.sql("ALTER TABLE messages ADD COLUMN late TEXT; CREATE TABLE gone (a);");
        let application = open(&case.sandbox.live());
        let mut all = application.prepare("SELECT * FROM messages WHERE id = 1").expect("prepared");
        let n_columns = |row: &rusqlite::Row<'_>| Ok(row.as_ref().column_count());
        assert_eq!(all.query_row([], n_columns), Ok(3));
        case.sandbox.ok(&RESTORE);
        assert_eq!(all.query_row([], n_columns), Ok(2));
        let gone = application.execute("INSERT INTO gone VALUES (1)", []);
        assert!(gone.is_err(), "the table is not in the backup");
    }
}

#[test]
fn every_commit_beside_a_restore_is_in_the_safety_backup_or_in_the_live_database() {
    for journal_mode in ["wal", "delete"] {
        no_commit_is_lost(&Case::new(journal_mode), journal_mode, &LATEST);
    }
}

#[test]
fn every_commit_beside_tables_put_back_is_in_the_safety_backup_or_in_the_live_database() {
    for journal_mode in ["wal", "delete"] {
        let tables = [&LATEST[..], &["--table", "messages"]].concat();
        no_commit_is_lost(&Case::new(journal_mode), journal_mode, &tables);
    }
}

/// Demands that what an application commits beside a command is live or in its safety backup.
pub(crate) fn no_commit_is_lost(case: &Case, journal_mode: &str, command: &[&str]) {
    const SOME: usize = 20;
    let (stop, n_done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let live = case.sandbox.live();
    let (acknowledged, safety) = std::thread::scope(|scope| {
        let writing = scope.spawn(|| write_until(&open(&live), &stop, &n_done));
        while n_done.load(Ordering::Relaxed) < SOME && !writing.is_finished() {
            std::thread::yield_now();
        }
        let said = case.sandbox.run(&[command, &["--busy-timeout", "30", "--json"]].concat());
        stop.store(true, Ordering::Relaxed);
        assert_eq!(said.code, Some(0), "{said:#?}");
        let document: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        (writing.join().expect("the writer"), text(&document["safety"]))
    });
    let safety = messages(&case.sandbox.path("backups").join(safety));
    let live = messages(&live);
    let is_kept = |content: &&String| safety.contains(content) || live.contains(content);
    let lost: Vec<&String> = acknowledged.iter().filter(|content| !is_kept(content)).collect();
    assert!(
        lost.is_empty(),
        "{journal_mode} {command:?}: {} of {} acknowledged commits are nowhere, from {:?}",
        lost.len(),
        acknowledged.len(),
        lost.first()
    );
    let n_only_safe = acknowledged.iter().filter(|content| !live.contains(content)).count();
    assert!(n_only_safe >= SOME, "nothing was replaced, so nothing was tested");
}

/// Commits one row after the other and returns those that SQLite said were committed.
fn write_until(connection: &Connection, stop: &AtomicBool, n_done: &AtomicUsize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for n in 0..1_000_000 {
        if stop.load(Ordering::Relaxed) && n > 10 {
            return acknowledged;
        }
        let content = format!("beside {n}");
        let written = connection.execute("INSERT INTO messages (content) VALUES (?1)", [&content]);
        if written.is_ok() {
            acknowledged.push(content);
            n_done.fetch_add(1, Ordering::Relaxed);
        }
        std::thread::yield_now();
    }
    acknowledged
}

#[test]
fn another_encoding_is_restored_over_where_nobody_has_the_database_open() {
    for encoding in ["UTF-16le", "UTF-16be"] {
        let case = Case::new("wal");
        let pragmas = format!("PRAGMA encoding='{encoding}';");
        drop(other_live(&case.sandbox, &pragmas, "wal"));
        case.restores(&[]);
    }
}

/// Demands a refusal that names this process, which has a UTF-16 database open.
#[cfg(target_os = "linux")]
fn another_encoding_is_refused(journal_mode: &str, then: &str) {
    let case = Case::new("wal");
    let other = other_live(&case.sandbox, "PRAGMA encoding='UTF-16le';", journal_mode);
    if !then.is_empty() {
        let _: i64 = other.query_row(then, [], |row| row.get(0)).expect(then);
    }
    let said = case.sandbox.run(&RESTORE);
    let theirs = other.query_row("SELECT content FROM other", [], |row| row.get(0));
    assert_eq!(theirs, Ok("theirs".to_owned()), "{said:#?}");
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("UTF-16le"), "{said:#?}");
    let holder = format!("(process {}) has it open", std::process::id());
    assert!(said.err.contains(&holder), "{said:#?}");
}

#[test]
#[cfg(target_os = "linux")]
fn another_encoding_is_refused_while_somebody_has_the_database_open_naming_him() {
    another_encoding_is_refused("delete", "");
    another_encoding_is_refused("wal", "PRAGMA wal_checkpoint(TRUNCATE)");
}

#[test]
#[cfg(target_os = "linux")]
fn another_encoding_that_stands_only_in_the_wal_yet_is_refused_too() {
    another_encoding_is_refused("wal", "");
}

#[test]
fn a_conversion_of_the_page_size_never_renumbers_rows_that_an_index_refers_to() {
    for key in [
        "a INTEGER, b INTEGER, body TEXT, PRIMARY KEY (a, b)",
        "a INTEGER PRIMARY KEY DESC, b INTEGER, body TEXT",
        "a INTEGER, b INTEGER, body TEXT",
    ] {
        let case = Case::new("wal");
        case.sandbox.sql(&format!(
            "CREATE TABLE notes ({key});
             CREATE VIRTUAL TABLE search USING fts5 (body, content='notes');
             INSERT INTO notes VALUES (1, 1, 'apple'), (2, 2, 'banana'), (3, 3, 'cherry');
             INSERT INTO search (rowid, body) SELECT rowid, body FROM notes;
             INSERT INTO search (search, rowid, body)
                 SELECT 'delete', rowid, body FROM notes WHERE body = 'apple';
             DELETE FROM notes WHERE body = 'apple';"
        ));
        case.sandbox.ok(&["db-backup"]);
        drop(other_live(&case.sandbox, "PRAGMA page_size=1024;", "wal"));
        let said = case.sandbox.run(&RESTORE);
        let live = open(&case.sandbox.live());
        if said.code == Some(2) {
            assert!(said.err.contains("renumber the rowids of `notes`"), "{said:#?}");
            let theirs = live.query_row("SELECT content FROM other", [], |row| row.get(0));
            assert_eq!(theirs, Ok("theirs".to_owned()));
            continue;
        }
        assert_eq!(said.code, Some(0), "{said:#?}");
        let found =
            live.query_row("SELECT body FROM search WHERE search MATCH 'banana'", [], |row| {
                row.get::<_, String>(0)
            });
        assert_eq!(found, Ok("banana".to_owned()), "notes ({key}): the index finds another row");
    }
}

#[test]
fn a_database_deleted_under_its_application_is_restored_only_by_force() {
    let case = Case::new("wal");
    let application = open(&case.sandbox.live());
    assert!(n_messages(&application) > 0);
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", case.sandbox.live().display());
        fs_err::remove_file(path).expect("removed");
    }
    let said = case.sandbox.run(&RESTORE);
    assert_eq!(said.code, Some(3), "{said:#?}");
    assert!(said.err.contains(&format!("(process {})", std::process::id())), "{}", said.err);
    assert!(!case.sandbox.live().exists());
    case.sandbox.ok(&[&RESTORE[..], &["--force"]].concat());
}
