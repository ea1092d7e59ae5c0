//! A WAL that an application uses is never taken in by us: older builds of SQLite can lose commits then
//! (<https://sqlite.org/wal.html>).

use rusqlite::Connection;

use crate::support::sandbox::{Sandbox, open};

/// An application that left taking the WAL in to somebody else, and has a long one.
fn application(sandbox: &Sandbox) -> Connection {
    let application = open(&sandbox.live());
    application
        .execute_batch(
            "PRAGMA wal_autocheckpoint=0; CREATE TABLE big (id INTEGER PRIMARY KEY, b);
             WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO big (b) SELECT hex(randomblob(2000)) FROM n;",
        )
        .expect("written");
    application
}

/// How many frames of the WAL are in the database file: `nBackfill`, in host order
/// (<https://sqlite.org/walformat.html#the_wal_index_file_format>). Read by another process: closing the
/// file in this one would drop the application's locks.
fn n_taken_in(sandbox: &Sandbox) -> u32 {
    let shm = sandbox.path("backend/db/kalito.db-shm");
    let bytes = sandbox.command("cat").arg(shm).output().expect("read").stdout;
    u32::from_ne_bytes(*bytes[96..].first_chunk().expect("an index"))
}

fn wal_bytes(sandbox: &Sandbox) -> u64 {
    fs_err::metadata(sandbox.path("backend/db/kalito.db-wal")).map_or(0, |wal| wal.len())
}

#[test]
fn no_command_takes_the_wal_in_beside_an_application() {
    let sandbox = Sandbox::new();
    let statements = "PRAGMA wal_autocheckpoint=0; CREATE TABLE IF NOT EXISTS new (a);";
    let script = format!("#!/bin/sh\nexec sqlite3 \"$DATABASE_PATH\" '{statements}'\n");
    sandbox.write("migrate.sh", script);
    sandbox.configure("migrate = [\"sh\", \"migrate.sh\"]\nmigrate-env = \"DATABASE_PATH\"");
    let application = application(&sandbox);
    assert_eq!(n_taken_in(&sandbox), 0);
    for arguments in [
        &["db-backup"][..],
        &["db-backup", "--kind", "branch"],
        &["db-list"],
        &["db-status"],
        &["db-diff"],
        &["db-verify", "--all", "--drill"],
        &["db-export", "--output", "all.jsonl"],
        &["db-restore", "latest", "--yes"],
        &["db-restore", "latest~1", "--yes"],
        &["db-restore", "latest", "--table", "big", "--yes"],
        &["db-pre-migrate"],
        &["db-migrate"],
        &["db-pre-deploy"],
        &["db-import", "all.jsonl", "--merge"],
        &["db-import", "all.jsonl", "--force", "--yes"],
        &["db-reset", "--yes"],
    ] {
        application
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS big (id INTEGER PRIMARY KEY, b);
                 DELETE FROM big WHERE id % 3 = 0; UPDATE big SET b = hex(randomblob(2000));
                 DROP TABLE IF EXISTS new;",
            )
            .expect("written");
        let before = wal_bytes(&sandbox);
        let said = sandbox.run(arguments);
        assert!(said.code.is_some_and(|code| code < 2), "{arguments:?}: {said:#?}");
        assert_eq!(n_taken_in(&sandbox), 0, "{arguments:?}: {said:#?}");
        assert!(wal_bytes(&sandbox) >= before, "{arguments:?}: {said:#?}");
        let intact: String = application
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect("the application goes on");
        assert_eq!(intact, "ok", "{arguments:?}");
    }
}

#[test]
fn a_restore_says_how_large_a_wal_is_that_it_leaves_and_takes_in_one_that_nobody_uses() {
    let sandbox = Sandbox::new();
    let application = application(&sandbox);
    sandbox.ok(&["db-backup"]);
    application.execute_batch("DELETE FROM big").expect("written");
    let said = sandbox.ok(&["db-restore", "latest", "--yes"]);
    let note = "large and part of the database; the application's next WAL checkpoint merges it: ";
    assert!(said.err.contains("The WAL is ") && said.err.contains(note), "{said:#?}");
    assert!(wal_bytes(&sandbox) > 0);
    // Somebody who never closed his connection is gone.
    sandbox.ok(&["db-backup"]);
    drop(application);
    let said = sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert!(!said.err.contains("The WAL is"), "{said:#?}");
    assert_eq!(wal_bytes(&sandbox), 0, "{said:#?}");
    assert!(!sandbox.path("backend/db/kalito.db-shm").exists(), "{said:#?}");
}

#[test]
fn single_tables_and_merges_say_how_large_a_wal_is_that_they_leave() {
    let sandbox = Sandbox::new();
    let application = application(&sandbox);
    sandbox.ok(&["db-backup"]);
    sandbox.ok(&["db-export", "--output", "rows.jsonl", "--table", "big"]);
    for arguments in [
        &["db-restore", "latest", "--table", "big", "--yes"][..],
        &["db-import", "rows.jsonl", "--merge"],
    ] {
        application.execute_batch("DELETE FROM big WHERE id % 3 = 0").expect("written");
        let said = sandbox.ok(arguments);
        assert!(said.err.contains("The WAL is "), "{arguments:?}: {said:#?}");
    }
    drop(application);
}
