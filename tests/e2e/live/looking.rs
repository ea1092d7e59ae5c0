//! Looking changes nothing: no byte, no time of a file, no lock; and nothing keeps it from looking.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::support::museum::{Random, put, raw, remove_live};
use crate::support::sandbox::{Sandbox, open};

/// More changes than fit into the cache: some are written into the file before the commit.
const SPILL: &str = "PRAGMA cache_size=1; CREATE TABLE added (a);
    WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 64)
    INSERT INTO added SELECT randomblob(4096) FROM n;";

/// Every file and folder below one, with its times, mode and bytes.
fn everything(folder: &Path) -> BTreeMap<PathBuf, (i64, i64, u32, Vec<u8>)> {
    let mut all = BTreeMap::new();
    for entry in fs_err::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            all.extend(everything(&path));
        }
        let metadata = fs_err::symlink_metadata(&path).expect("metadata");
        let bytes = if path.is_file() { fs_err::read(&path).expect("read") } else { Vec::new() };
        all.insert(path, (metadata.mtime(), metadata.mtime_nsec(), metadata.mode(), bytes));
    }
    let metadata = fs_err::metadata(folder).expect("metadata");
    let times = (metadata.mtime(), metadata.mtime_nsec(), metadata.mode(), Vec::new());
    all.insert(folder.to_owned(), times);
    all
}

/// Runs `db-status`, demands that nothing below the root changed, and returns the database's part.
fn status(sandbox: &Sandbox) -> serde_json::Value {
    let before = everything(&sandbox.root());
    let document = sandbox.json(&["db-status"]);
    let after = everything(&sandbox.root());
    let names = |all: &BTreeMap<PathBuf, _>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    for (path, was) in &before {
        assert!(after[path] == *was, "{} changed", path.display());
    }
    document["databases"][0].clone()
}

/// Copies the live database with these sidecars, which nobody has open, and works on the copy.
fn copied_as_after_a_crash(sandbox: &Sandbox, suffixes: &[&str]) {
    for suffix in suffixes {
        let from = sandbox.path(&format!("backend/db/kalito.db{suffix}"));
        fs_err::copy(from, sandbox.path(&format!("crashed.db{suffix}"))).expect("copied");
    }
    sandbox.write(".env", "DATABASE_PATH=crashed.db");
}

fn sight(sandbox: &Sandbox) -> String {
    status(sandbox)["sight"].as_str().expect("a word").to_owned()
}

#[test]
fn a_project_without_anything_is_left_without_anything() {
    let sandbox = Sandbox::new();
    remove_live(&sandbox);
    assert_eq!(sight(&sandbox), "missing");
    assert!(!sandbox.path("backups").exists());
    fs_err::remove_dir_all(sandbox.path("backend")).expect("removed");
    assert_eq!(sight(&sandbox), "missing");
}

#[test]
fn a_closed_database_is_read_without_a_trace_in_either_journal_mode() {
    for journal_mode in ["wal", "delete"] {
        let sandbox = Sandbox::new();
        sandbox.git_init();
        sandbox.sql(&format!("PRAGMA journal_mode={journal_mode}"));
        sandbox.ok(&["db-backup"]);
        let seen = status(&sandbox);
        assert_eq!(seen["sight"], "readable", "{seen:#}");
        assert_eq!(seen["journal_mode"], journal_mode);
        assert_eq!(seen["schema_version"], 12);
        assert_eq!(seen["schema_drifted"], false);
    }
}

#[test]
fn what_stands_only_in_the_wal_is_seen_beside_its_application_and_after_its_end() {
    let sandbox = Sandbox::new();
    let application = open(&sandbox.live());
    application
        .execute_batch(
            "PRAGMA wal_autocheckpoint=0; CREATE TABLE added (a); PRAGMA user_version=13",
        )
        .expect("written");
    let seen = status(&sandbox);
    assert_eq!(seen["schema_version"], 13, "{seen:#}");
    assert_ne!(seen["wal_bytes"], 0);
    // A transaction that is under way is not in its way.
    application.execute_batch("BEGIN IMMEDIATE; CREATE TABLE more (a)").expect("begun");
    assert_eq!(status(&sandbox)["schema_version"], 13);
    application.execute_batch("COMMIT").expect("ended");
    // As after a crash: the sidecars stay, and nobody has them open.
    copied_as_after_a_crash(&sandbox, &["", "-wal", "-shm"]);
    let seen = status(&sandbox);
    assert_eq!((&seen["sight"], &seen["schema_version"]), (&"readable".into(), &13.into()));
    fs_err::remove_file(sandbox.path("crashed.db-shm")).expect("removed");
    let seen = status(&sandbox);
    assert_eq!(seen["sight"], "busy", "{seen:#}");
    assert_eq!(seen["detail"], "its WAL has to be recovered when it is opened next");
}

#[test]
fn a_locked_database_keeps_nobody_waiting() {
    let sandbox = Sandbox::new();
    sandbox.sql("PRAGMA journal_mode=delete");
    let application = open(&sandbox.live());
    application.execute_batch("BEGIN EXCLUSIVE").expect("begun");
    assert_eq!(sight(&sandbox), "readable", "nothing was written yet");
    application.execute_batch(SPILL).expect("written");
    let seen = status(&sandbox);
    assert_eq!(seen["sight"], "busy", "{seen:#}");
    let detail = seen["detail"].as_str().expect("why");
    assert!(detail.starts_with("a transaction is under way"), "{detail}");
    if cfg!(target_os = "linux") {
        assert!(detail.contains(&format!("(process {})", std::process::id())), "{detail}");
    }
    drop(application);
    assert_eq!(sight(&sandbox), "readable");
    let application = open(&sandbox.live());
    application
        .execute_batch(
            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=wal; CREATE TABLE other (a)",
        )
        .expect("locked");
    let seen = status(&sandbox);
    assert_eq!(seen["sight"], "busy", "{seen:#}");
}

#[test]
fn what_is_no_database_is_looked_at_and_left() {
    let random = Random(5).bytes(8192);
    let sandbox = Sandbox::new();
    let mut damaged = raw(&sandbox);
    damaged[100..200].fill(0xff);
    for (bytes, word) in [
        (Vec::new(), "empty"),
        (b"text".to_vec(), "foreign"),
        (random, "may-be-encrypted"),
        (damaged, "damaged"),
        (b"SQLite format 3\0".to_vec(), "foreign"),
    ] {
        put(&sandbox, &bytes);
        assert_eq!(sight(&sandbox), word);
    }
}

#[test]
fn a_hot_journal_is_not_rolled_back_by_looking() {
    let sandbox = Sandbox::new();
    sandbox.sql("PRAGMA journal_mode=delete");
    let application = open(&sandbox.live());
    application.execute_batch("BEGIN IMMEDIATE").expect("begun");
    application.execute_batch(SPILL).expect("written");
    copied_as_after_a_crash(&sandbox, &["", "-journal"]);
    let seen = status(&sandbox);
    assert_eq!(
        seen["detail"],
        "a transaction was interrupted; it is rolled back when the database is opened next"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_command_at_work_in_the_backups_folder_is_named_and_its_files_are_no_leftovers() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    sandbox.write("backups/.kalito.db.x.bak.stage-99-0123456789abcdef", "half");
    let held = fs_err::File::open(sandbox.path("backups/.lock")).expect("a lock");
    held.file().lock().expect("locked");
    let before = everything(&sandbox.root());
    let said = sandbox.ok(&["db-status"]);
    assert!(before == everything(&sandbox.root()));
    let who = format!("(process {})", std::process::id());
    assert!(said.out.contains("\n  lock         locked right now by `"), "{said:#?}");
    assert!(said.out.contains(&who), "{said:#?}");
    drop(held);
    let said = sandbox.fails(1, &["db-status"]);
    assert!(said.out.contains("a killed command left 1 unfinished file"), "{said:#?}");
}
