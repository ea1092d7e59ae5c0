//! `db-backup`: what it says, and what it refuses.

pub(crate) mod damaged_sources;
pub(crate) mod examination;
pub(crate) mod large_database;
pub(crate) mod wal_backfill;

use crate::support::sandbox::{Running, Sandbox, messages};

#[test]
fn a_backup_is_announced_and_holds_the_rows_of_the_wal() {
    let sandbox = Sandbox::new();
    let said = sandbox.ok(&["db-backup"]);
    let first = said.out.lines().next().unwrap_or_default();
    assert_eq!(first, "Backup created at ./backups/kalito.db.2025-09-13_142530.bak");
    let backup = sandbox.path("backups/kalito.db.2025-09-13_142530.bak");
    assert_eq!(messages(&backup), ["one", "two", "three"]);
}

#[test]
fn a_backup_of_a_missing_database_is_refused_and_creates_none() {
    let sandbox = Sandbox::new();
    fs_err::remove_file(sandbox.live()).expect("removed");
    let said = sandbox.run(&["db-backup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("there is no database at `backend/db/kalito.db`"), "{said:#?}");
    assert!(!sandbox.live().exists());
    assert!(sandbox.backups().is_empty());
}

#[test]
fn six_commands_at_once_take_turns() {
    let sandbox = Sandbox::new();
    let children: Vec<_> = (0..6)
        .map(|_| sandbox.xtask(&["db-backup", "--quiet", "--busy-timeout", "60"]).spawn())
        .collect();
    for child in children {
        let mut running = Running(child.expect("runs"));
        assert_eq!(running.0.wait().expect("ended").code(), Some(0));
    }
    let document = sandbox.json(&["db-list"]);
    let backups = document["backups"].as_array().expect("list");
    let mut sequences: Vec<_> = backups.iter().map(|b| b["sequence"].as_u64()).collect();
    sequences.reverse();
    assert_eq!(sequences, (1..=6).map(Some).collect::<Vec<_>>());
    sandbox.ok(&["db-verify", "--all"]);
}

#[test]
fn a_folder_that_stays_locked_is_exit_three_and_names_the_process() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    let lock = fs_err::File::open(sandbox.path("backups/.lock")).expect("lock");
    lock.file().lock().expect("locked");
    let said = sandbox.run(&["db-backup", "--busy-timeout", "0"]);
    assert_eq!(said.code, Some(3), "{said:#?}");
    assert!(said.err.contains("another command is using it (process "), "{said:#?}");
    // Looking never waits.
    sandbox.ok(&["db-list"]);
    drop(lock);
    sandbox.ok(&["db-backup", "--busy-timeout", "0"]);
}

#[test]
fn a_lock_file_that_is_somebody_else_s_is_not_overwritten() {
    let sandbox = Sandbox::new();
    sandbox.write("precious", "mine");
    fs_err::create_dir(sandbox.path("backups")).expect("folder");
    std::os::unix::fs::symlink("../precious", sandbox.path("backups/.lock")).expect("link");
    assert_eq!(sandbox.run(&["db-backup"]).code, Some(2));
    sandbox.write("out/.lock", "theirs");
    sandbox.ok(&["db-backup", "--output", "out"]);
    assert_eq!(fs_err::read_to_string(sandbox.path("precious")).expect("text"), "mine");
    assert_eq!(fs_err::read_to_string(sandbox.path("out/.lock")).expect("text"), "theirs");
}

#[test]
fn a_wal_database_with_two_names_is_refused_because_its_wal_has_one() {
    let sandbox = Sandbox::new();
    fs_err::hard_link(sandbox.live(), sandbox.path("other.db")).expect("link");
    let said = sandbox.run(&["db-backup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("hard links"), "{}", said.err);
}

#[test]
fn a_sidecar_that_is_no_file_is_refused_instead_of_waited_for() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("backend/db/kalito.db-journal")).expect("folder");
    let said = sandbox.run(&["db-backup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("not a regular file"), "{}", said.err);
}

#[test]
fn a_checkpoint_of_an_unchanged_database_is_a_record_and_a_hard_link() {
    use std::os::unix::fs::MetadataExt as _;

    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    let said = sandbox.ok(&["db-backup", "--kind", "scheduled", "--label", "nightly"]);
    assert!(said.out.contains("a hard link, no space used"), "{}", said.out);
    let names = sandbox.backups();
    let inode = |name: &String| {
        fs_err::metadata(sandbox.path(&format!("backups/{name}"))).expect("backup").ino()
    };
    assert_eq!(names.len(), 2);
    assert_eq!(inode(&names[0]), inode(&names[1]));
    let document = sandbox.json(&["db-list"]);
    let (newest, older) = (&document["backups"][0], &document["backups"][1]);
    assert_eq!((&newest["kind"], &newest["label"]), (&"scheduled".into(), &"nightly".into()));
    assert_eq!((&newest["sequence"], &newest["blake3"]), (&2.into(), &older["blake3"]));
    sandbox.ok(&["db-verify", "--all", "--drill"]);
    // Either goes without the other.
    let said = sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    assert!(said.out.ends_with("Removed 1 backup and freed 0 B.\n"), "{}", said.out);
    sandbox.ok(&["db-verify", "--all"]);
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    let said = sandbox.ok(&["db-backup", "--kind", "scheduled"]);
    assert!(!said.out.contains("hard link"), "{}", said.out);
}
