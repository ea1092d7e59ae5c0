//! `db-import` killed at every call that can change something, and on a disk that is full or fails: a
//! new database is absent or whole, a present one old or new.

use crate::support::museum::names;
use crate::support::sandbox::{Said, messages, open};
use crate::support::strace::{Bench, works};

const CALLS: [&str; 7] = [
    "openat",
    "write",
    "pwrite64",
    "fsync,fdatasync",
    "?link,linkat",
    "?unlink,unlinkat",
    "ftruncate",
];

const KILL: &str = "signal=SIGKILL:when=N";

/// What fails: from the N-th call on, or the N-th only.
const FAILURES: [(&str, &str); 7] = [
    ("write", "error=ENOSPC:when=N+"),
    ("pwrite64", "error=ENOSPC:when=N+"),
    ("pwrite64", "error=EIO:when=N"),
    ("pread64", "error=EIO:when=N"),
    ("fsync,fdatasync", "error=EIO:when=N"),
    ("?link,linkat", "error=ENOSPC:when=N"),
    ("ftruncate", "error=EIO:when=N"),
];

const INTO: [&str; 4] = ["db-import", "e.jsonl", "--into", "made/new.db"];

/// A workspace with an export of its database.
fn bench() -> Bench {
    let bench = Bench::new("wal");
    let sandbox = &bench.case.sandbox;
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    fs_err::create_dir(sandbox.path("made")).expect("folder");
    bench
}

/// The new database is absent or whole; the next import sweeps what is left, and makes it.
fn is_absent_or_whole(bench: &Bench, said: &Said, what: &str) {
    let sandbox = &bench.case.sandbox;
    let new = sandbox.path("made/new.db");
    assert!(new.exists() || said.code != Some(0), "success, and nothing there: {what}");
    if !new.exists() {
        sandbox.ok(&INTO);
    }
    assert!(messages(&new) == messages(&sandbox.live()), "not all rows: {what}");
    fs_err::remove_file(&new).expect("removed");
    sandbox.ok(&INTO);
    assert_eq!(names(&sandbox.path("made")), ["new.db"], "{what}");
}

#[test]
fn a_new_database_is_absent_or_whole_wherever_the_import_is_killed() {
    if !works() {
        return;
    }
    let bench = bench();
    let kills = CALLS.map(|calls| bench.at_every(calls, KILL, &INTO, is_absent_or_whole));
    assert!(kills.iter().sum::<u32>() > 20, "{kills:?}");
}

#[test]
fn a_new_database_on_a_failing_disk_is_never_called_imported_unless_it_is_whole() {
    if !works() {
        return;
    }
    let bench = bench();
    let failures =
        FAILURES.map(|(calls, failure)| bench.at_every(calls, failure, &INTO, is_absent_or_whole));
    assert!(failures.iter().sum::<u32>() > 20, "{failures:?}");
}

#[test]
fn a_present_database_is_old_or_new_wherever_its_replacement_is_killed() {
    if !works() {
        return;
    }
    let bench = bench();
    let sandbox = &bench.case.sandbox;
    let old = messages(&sandbox.live());
    let shorter = sandbox.path("shorter.db");
    fs_err::copy(sandbox.backup_path(&sandbox.backups()[0]), &shorter).expect("copied");
    open(&shorter).execute_batch("DELETE FROM messages WHERE id > 5").expect("deleted");
    let mut export = sandbox.xtask(&["db-export", "--output", "new.jsonl"]);
    let output = export.env("DATABASE_PATH", &shorter).output().expect("it runs");
    assert!(output.status.success(), "{:#?}", sandbox.said(&output));
    let new = messages(&shorter);
    let check = |_: &Bench, said: &Said, what: &str| {
        let found = messages(&sandbox.live());
        assert!(found == old || found == new, "neither old nor new: {what}");
        assert!(found == new || said.code != Some(0), "success, and old: {what}");
        let is_kept = sandbox.backups().iter().any(|name| name.contains("SAFETY"));
        assert!(is_kept || found == old, "new without a safety backup: {what}");
    };
    let import = ["db-import", "new.jsonl", "--force", "--yes"];
    let kills = CALLS.map(|calls| bench.at_every(calls, KILL, &import, check));
    assert!(kills.iter().sum::<u32>() > 20, "{kills:?}");
}

#[test]
fn an_interrupted_import_leaves_nothing_and_says_so() {
    if !works() {
        return;
    }
    let bench = bench();
    let sandbox = &bench.case.sandbox;
    let n_interrupted = std::cell::Cell::new(0);
    let check = |_: &Bench, said: &Said, what: &str| {
        let made = names(&sandbox.path("made"));
        match said.code {
            // It came when all was done already.
            Some(0) => assert_eq!(made, ["new.db"], "{what}"),
            // It came before anybody listened: the process just ended.
            None => assert_eq!(made, [""; 0], "{what}"),
            code => {
                assert_eq!(code, Some(130), "{what}");
                assert_eq!(made, [""; 0], "{what}");
                assert!(said.err.starts_with("interrupted: "), "{what}");
                n_interrupted.set(n_interrupted.get() + 1);
            }
        }
    };
    for calls in ["pwrite64", "read", "fsync,fdatasync"] {
        bench.at_every(calls, "signal=SIGINT:when=N", &INTO, check);
    }
    assert!(n_interrupted.get() > 10, "{}", n_interrupted.get());
}
