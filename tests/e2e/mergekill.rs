//! `db-import --merge` killed at every call that can change something, and on a disk that is full or
//! fails: all rows of the file are there or none, and never without the safety backup.

use crate::sandbox::{Said, messages, open};
use crate::strace::{Bench, works};

const CALLS: [&str; 6] = [
    "openat",
    "write",
    "pwrite64",
    "fsync,fdatasync",
    "?link,linkat",
    "?unlink,unlinkat,ftruncate",
];

const KILL: &str = "signal=SIGKILL:when=N";

/// What fails: from the N-th call on, or the N-th only.
const FAILURES: [(&str, &str); 5] = [
    ("write", "error=ENOSPC:when=N+"),
    ("pwrite64", "error=ENOSPC:when=N+"),
    ("pwrite64", "error=EIO:when=N"),
    ("pread64", "error=EIO:when=N"),
    ("fsync,fdatasync", "error=EIO:when=N"),
];

const MERGE: [&str; 3] = ["db-import", "--merge", "theirs.jsonl"];

/// Merges at every moment of these calls, with this done to it.
fn at_every(journal_mode: &str, all: &[(&str, &str)]) {
    let bench = Bench::new(journal_mode);
    let sandbox = &bench.case.sandbox;
    let old = messages(&sandbox.live());
    let theirs = sandbox.path("theirs.db");
    fs_err::copy(sandbox.backup_path(&sandbox.backups()[0]), &theirs).expect("copied");
    let edits = "DELETE FROM messages WHERE id < 9;
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
        INSERT INTO messages (content) SELECT 'theirs ' || i || hex(randomblob(20)) FROM n;";
    open(&theirs).execute_batch(edits).expect("edited");
    let mut export = sandbox.xtask(&["db-export", "--output", "theirs.jsonl"]);
    let output = export.env("DATABASE_PATH", &theirs).output().expect("it runs");
    assert!(output.status.success(), "{:#?}", sandbox.said(&output));
    let mut merged: Vec<String> = messages(&theirs);
    merged.retain(|message| !old.contains(message));
    merged.splice(0..0, old.clone());
    assert!(merged.len() > old.len());
    let check = |_: &Bench, said: &Said, what: &str| {
        let found = messages(&sandbox.live());
        assert!(found == old || found == merged, "neither none nor all: {what}");
        assert!(found == merged || said.code != Some(0), "success, and nothing merged: {what}");
        let is_kept = sandbox.backups().iter().any(|name| name.contains("SAFETY"));
        assert!(is_kept || found == old, "merged without a safety backup: {what}");
        let integrity: String = open(&sandbox.live())
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect("an answer");
        assert_eq!(integrity, "ok", "{what}");
        if found == old {
            sandbox.ok(&MERGE);
            assert!(messages(&sandbox.live()) == merged, "not merged afterwards: {what}");
        }
    };
    let done = all.iter().map(|(calls, done)| bench.at_every(calls, done, &MERGE, check));
    let done: Vec<u32> = done.collect();
    assert!(done.iter().sum::<u32>() > 20, "{done:?}");
}

#[test]
fn a_merge_that_is_killed_anywhere_has_merged_all_or_nothing() {
    if works() {
        at_every("wal", &CALLS.map(|calls| (calls, KILL)));
    }
}

#[test]
fn a_merge_in_rollback_mode_that_is_killed_anywhere_has_merged_all_or_nothing() {
    if works() {
        at_every("delete", &CALLS.map(|calls| (calls, KILL)));
    }
}

#[test]
fn a_merge_on_a_failing_disk_is_never_called_done_unless_it_is() {
    if works() {
        at_every("wal", &FAILURES);
    }
}
