//! `kill -9` at every call that can change something: backups are absent or complete, the live
//! database is old or new, and the next command tidies up.

use crate::rows::merge::{share, texts};
use crate::support::museum::names;
use crate::support::sandbox::{Said, Sandbox};
use crate::support::strace::{Bench, works};

const CALLS: [&str; 9] = [
    "openat",
    "?mkdir,mkdirat",
    "write",
    "pwrite64",
    "fsync,fdatasync",
    "?link,linkat",
    "?unlink,unlinkat",
    "?rename,?renameat,renameat2",
    "ftruncate",
];

const KILL: &str = "signal=SIGKILL:when=N";

fn backup_is_absent_or_complete(bench: &Bench, said: &Said, what: &str) {
    let n_backups = bench.case.sandbox.backups().len();
    assert!(n_backups == 2 || said.code != Some(0), "no backup: {what}");
    assert!(n_backups == 2 || !said.out.contains("Backup created"), "no backup: {what}");
    bench.backups_are_whole(what);
    assert!(!bench.live_is_new(what), "a backup changed the live database: {what}");
}

#[test]
fn a_backup_killed_at_any_call_is_absent_or_complete() {
    if !works() {
        return;
    }
    for journal_mode in ["wal", "delete"] {
        let bench = Bench::new(journal_mode);
        let kills = CALLS
            .map(|calls| bench.at_every(calls, KILL, &["db-backup"], backup_is_absent_or_complete));
        assert!(kills.iter().sum::<u32>() > 20, "{kills:?}");
    }
}

#[test]
fn a_checkpoint_killed_at_any_call_on_its_way_into_the_store_is_absent_or_complete() {
    if !works() {
        return;
    }
    let bench = Bench::stored("wal");
    let checkpoint = ["db-backup", "--kind", "branch"];
    let kills =
        CALLS.map(|calls| bench.at_every(calls, KILL, &checkpoint, backup_is_absent_or_complete));
    assert!(kills.iter().sum::<u32>() > 20, "{kills:?}");
}

fn restore_is_old_or_new(bench: &Bench, said: &Said, what: &str) {
    let is_new = bench.live_is_new(what);
    assert!(is_new || said.code != Some(0), "success, and old: {what}");
    assert!(is_new || !said.out.contains("Restored"), "success, and old: {what}");
    let n_backups = bench.case.sandbox.backups().len();
    assert!(n_backups == 2 || !is_new, "new without a safety backup: {what}");
    bench.backups_are_whole(what);
}

fn kill_restores(bench: impl Fn() -> Bench) {
    if !works() {
        return;
    }
    let bench = bench();
    let restore = ["db-restore", "latest", "--yes"];
    let kills = CALLS.map(|calls| bench.at_every(calls, KILL, &restore, restore_is_old_or_new));
    assert!(kills.iter().sum::<u32>() > 20, "{kills:?}");
}

#[test]
fn a_restore_into_a_wal_killed_at_any_call_leaves_old_or_new() {
    kill_restores(|| Bench::new("wal"));
}

#[test]
fn a_restore_in_rollback_mode_killed_at_any_call_leaves_old_or_new() {
    kill_restores(|| Bench::new("delete"));
}

#[test]
fn a_restore_from_the_store_into_a_wal_killed_at_any_call_leaves_old_or_new() {
    kill_restores(|| Bench::stored("wal"));
}

#[test]
fn a_restore_from_the_store_in_rollback_mode_killed_at_any_call_leaves_old_or_new() {
    kill_restores(|| Bench::stored("delete"));
}

/// Kills restores over these bytes at any call: afterwards they are still there, or the new state is.
fn kill_restores_over(live: Option<&[u8]>) {
    if !works() {
        return;
    }
    let bench = Bench::over(live);
    let check = |bench: &Bench, said: &Said, what: &str| {
        let found = bench.live_as_found().unwrap_or_default();
        let untouched = found == live.unwrap_or_default();
        assert!(!untouched || said.code != Some(0), "success, and old: {what}");
        let n_bytes = found.len();
        assert!(
            untouched || bench.live_is_new(what),
            "neither old nor new, {n_bytes} bytes: {what}"
        );
        bench.backups_are_whole(what);
        // Where it may have been in the middle, that is noted, and recovering finishes it.
        let recovered = bench.case.sandbox.ok(&["db-recover", "--yes"]);
        let is_noted = !recovered.out.contains("Nothing to recover");
        assert!(!is_noted || bench.live_is_new(what), "{recovered:#?} after {what}");
        let left = names(&bench.case.sandbox.path("backups/under-way"));
        assert_eq!(left, [""; 0], "{what}");
    };
    for calls in ["write", "pwrite64", "fsync,fdatasync", "?unlink,unlinkat", "ftruncate"] {
        bench.at_every(calls, KILL, &["db-restore", "latest", "--yes"], check);
    }
}

#[test]
fn a_restore_over_nothing_killed_at_any_call_leaves_nothing_or_new() {
    kill_restores_over(None);
    kill_restores_over(Some(b""));
}

#[test]
fn a_restore_over_an_unreadable_database_killed_at_any_call_leaves_its_bytes_or_new() {
    // Whole pages: a rollback may round an odd end up.
    let text = b"this is no base ".repeat(5 * 4096 / 16);
    kill_restores_over(Some(&text));
}

/// Kills merges at any call: afterwards all rows of the file are there, or none, and those from before.
fn kill_merges(journal_mode: &str) {
    const COUNTS: &str =
        "SELECT count(*) || ' and ' || sum(content LIKE 'elsewhere %') FROM messages";
    if !works() {
        return;
    }
    let there = Sandbox::new();
    there.sql(
        "DELETE FROM messages;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
         INSERT INTO messages (content) SELECT printf('elsewhere %d %0200d', i, i) FROM n;",
    );
    let bench = Bench::new(journal_mode);
    share(&there, &bench.case.sandbox, "yours.jsonl");
    let before = texts(&bench.case.sandbox, COUNTS);
    let n_before: u32 = before[0].trim_end_matches(" and 0").parse().expect("a count");
    let after = vec![format!("{} and 300", n_before + 300)];
    let check = |bench: &Bench, said: &Said, what: &str| {
        let sandbox = &bench.case.sandbox;
        assert_eq!(texts(sandbox, "PRAGMA integrity_check"), ["ok"], "{what}");
        let counts = texts(sandbox, COUNTS);
        assert!(counts == before || counts == after, "{counts:?}: {what}");
        assert!(counts == after || said.code != Some(0), "success, and old: {what}");
        let n_backups = sandbox.backups().len();
        assert!(n_backups == 2 || counts == before, "new without a safety backup: {what}");
        bench.backups_are_whole(what);
    };
    let merge = ["db-import", "--merge", "yours.jsonl"];
    let calls = ["write", "pwrite64", "fsync,fdatasync", "?unlink,unlinkat", "ftruncate"];
    let kills = calls.map(|calls| bench.at_every(calls, KILL, &merge, check));
    assert!(kills.iter().sum::<u32>() > 20, "{kills:?}");
}

#[test]
fn a_merge_into_a_wal_killed_at_any_call_merges_all_or_nothing() {
    kill_merges("wal");
}

#[test]
fn a_merge_in_rollback_mode_killed_at_any_call_merges_all_or_nothing() {
    kill_merges("delete");
}
