//! A disk that is full or fails at any call: never success with less than all of it done.

use crate::support::sandbox::Said;
use crate::support::strace::{Bench, works};

/// What is done to which calls: from the N-th on, or to the N-th only.
const FAILURES: [(&str, &str); 13] = [
    ("write", "error=ENOSPC:when=N+"),
    ("write", "error=EIO:when=N"),
    ("pwrite64", "error=ENOSPC:when=N+"),
    ("pwrite64", "error=ENOSPC:when=N"),
    ("pwrite64", "error=EIO:when=N"),
    ("pread64", "error=EIO:when=N"),
    ("openat", "error=EMFILE:when=N"),
    ("ftruncate", "error=EIO:when=N"),
    ("fsync,fdatasync", "error=EIO:when=N"),
    ("fsync,fdatasync", "error=EIO:when=N+"),
    ("?link,linkat", "error=ENOSPC:when=N"),
    ("?unlink,unlinkat", "error=EIO:when=N"),
    ("?rename,?renameat,renameat2", "error=EIO:when=N"),
];

fn backup_says_what_is_so(bench: &Bench, said: &Said, what: &str) {
    let n_backups = bench.case.sandbox.backups().len();
    assert!(n_backups == 2 || said.code != Some(0), "success without a backup: {what}");
    assert!(n_backups == 2 || !said.out.contains("Backup created"), "no backup: {what}");
    bench.backups_are_whole(what);
    assert!(!bench.live_is_new(what), "a backup changed the live database: {what}");
}

#[test]
fn a_backup_on_a_failing_disk_is_never_called_created_unless_it_is_whole() {
    if !works() {
        return;
    }
    for journal_mode in ["wal", "delete"] {
        let bench = Bench::new(journal_mode);
        let failures = FAILURES.map(|(calls, failure)| {
            bench.at_every(calls, failure, &["db-backup"], backup_says_what_is_so)
        });
        assert!(failures.iter().sum::<u32>() > 20, "{failures:?}");
    }
}

#[test]
fn a_checkpoint_on_a_failing_disk_is_never_called_created_unless_it_is_whole() {
    if !works() {
        return;
    }
    let bench = Bench::stored("wal");
    let checkpoint = ["db-backup", "--kind", "branch"];
    let failures = FAILURES.map(|(calls, failure)| {
        bench.at_every(calls, failure, &checkpoint, backup_says_what_is_so)
    });
    assert!(failures.iter().sum::<u32>() > 20, "{failures:?}");
}

fn restore_says_what_is_so(bench: &Bench, said: &Said, what: &str) {
    let is_new = bench.live_is_new(what);
    assert!(is_new || said.code != Some(0), "success, and old: {what}");
    bench.backups_are_whole(what);
}

fn fail_restores(bench: impl Fn() -> Bench) {
    if !works() {
        return;
    }
    let bench = bench();
    let restore = ["db-restore", "latest", "--yes"];
    let failures = FAILURES
        .map(|(calls, failure)| bench.at_every(calls, failure, &restore, restore_says_what_is_so));
    assert!(failures.iter().sum::<u32>() > 20, "{failures:?}");
}

#[test]
fn a_restore_into_a_wal_on_a_failing_disk_is_never_called_done_unless_it_is() {
    fail_restores(|| Bench::new("wal"));
}

#[test]
fn a_restore_in_rollback_mode_on_a_failing_disk_is_never_called_done_unless_it_is() {
    fail_restores(|| Bench::new("delete"));
}

#[test]
fn a_restore_from_the_store_on_a_failing_disk_is_never_called_done_unless_it_is() {
    fail_restores(|| Bench::stored("wal"));
}
