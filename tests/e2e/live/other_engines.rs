//! What other engines keep where a database of SQLite should be: named and refused, never replaced; and
//! what replicates a database while a restore replaces it.

use std::os::unix::fs::FileExt as _;

use crate::support::sandbox::Sandbox;

const COMMANDS: [&[&str]; 8] = [
    &["db-backup"],
    &["db-backup", "--damaged"],
    &["db-backup", "--kind", "branch"],
    &["db-setup"],
    &["db-diff"],
    &["db-export", "--output", "out.jsonl"],
    &["db-restore", "latest", "--yes"],
    &["db-restore", "latest", "--yes", "--force"],
];

/// Every command refuses it by name and leaves every byte; `db-status` gives no advice to restore.
fn is_named_and_left(sandbox: &Sandbox, what: &str) {
    let path = sandbox.live();
    let before = path.is_file().then(|| fs_err::read(&path).expect("read"));
    let n_backups = sandbox.backups().len();
    for arguments in COMMANDS {
        let said = sandbox.fails(2, arguments);
        assert!(said.err.contains(what), "{arguments:?}: {said:#?}");
        assert!(!said.err.contains("db-restore"), "{arguments:?}: {said:#?}");
        let after = path.is_file().then(|| fs_err::read(&path).expect("read"));
        assert!(after == before, "{arguments:?} wrote into it");
    }
    assert_eq!(sandbox.backups().len(), n_backups);
    let said = sandbox.fails(1, &["db-status"]);
    assert!(said.out.contains(what) && !said.out.contains("db-restore"), "{said:#?}");
}

#[test]
fn a_database_of_turso_in_mvcc_mode_is_named_and_its_log_stays() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    let live = fs_err::OpenOptions::new().write(true).open(sandbox.live()).expect("opened");
    live.file().write_all_at(&[255, 255], 18).expect("written");
    let log = sandbox.path("backend/db/kalito.db-log");
    fs_err::write(&log, "commits").expect("written");
    is_named_and_left(&sandbox, "is a database of Turso in MVCC mode");
    assert_eq!(fs_err::read(&log).expect("the log"), b"commits");
}

#[test]
fn databases_of_other_engines_are_named() {
    for (start, what) in [
        (&b"\0\0\0\0\0\0\0\0DUCK"[..], "is a DuckDB database"),
        (b"redb\x1a\x0a\xa9\x0d\x0a", "is a redb database"),
        (b"\0\x01\0\0Standard ACE DB\0", "is a Microsoft Access database"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.ok(&["db-backup"]);
        fs_err::write(sandbox.live(), [start, &[0; 4096]].concat()).expect("written");
        is_named_and_left(&sandbox, what);
    }
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    fs_err::remove_file(sandbox.live()).expect("removed");
    sandbox.write("backend/db/kalito.db/CURRENT", "MANIFEST-000001\n");
    is_named_and_left(&sandbox, "is a folder of LevelDB or RocksDB");
}

#[test]
fn a_restore_over_a_database_that_litestream_replicates_says_to_restart_it() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    let said = sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert!(!said.err.contains("Litestream"), "{said:#?}");
    sandbox.sql("CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)");
    let said = sandbox.ok(&["db-restore", "latest", "--yes"]);
    let advice = "warning: Litestream replicates this database and must be restarted now";
    assert!(said.err.contains(advice), "{said:#?}");
    assert!(said.err.contains("`systemctl restart litestream`"), "{said:#?}");
}

#[test]
fn single_tables_and_merges_into_a_replicated_database_say_to_restart_litestream_too() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER);
         CREATE TABLE rows (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO rows VALUES (1, 'x');",
    );
    sandbox.ok(&["db-backup"]);
    sandbox.ok(&["db-export", "--output", "rows.jsonl", "--table", "rows"]);
    for arguments in [
        &["db-restore", "latest", "--table", "rows", "--yes"][..],
        &["db-import", "rows.jsonl", "--merge"],
    ] {
        sandbox.sql("DELETE FROM rows");
        let said = sandbox.ok(arguments);
        let advice = "warning: Litestream replicates this database and must be restarted now";
        assert!(said.err.contains(advice), "{arguments:?}: {said:#?}");
    }
    // Nothing was merged: the replica is as good as before.
    let said = sandbox.ok(&["db-import", "rows.jsonl", "--merge"]);
    assert!(!said.err.contains("Litestream"), "{said:#?}");
}
