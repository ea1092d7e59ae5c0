//! `db-export` killed at every call that can change something, and on a disk that is full or fails: an
//! export under its name is whole, and an earlier one stays until then.

use crate::support::museum::names;
use crate::support::sandbox::Said;
use crate::support::strace::{Bench, works};

const EXPORT: [&str; 3] = ["db-export", "--output", "made/e.jsonl"];

/// What is done to which calls: from the N-th on, or to the N-th only.
const DONE: [(&str, &str); 7] = [
    ("openat", "signal=SIGKILL:when=N"),
    ("write", "signal=SIGKILL:when=N"),
    ("fsync,fdatasync", "signal=SIGKILL:when=N"),
    ("?link,linkat", "signal=SIGKILL:when=N"),
    ("write", "error=ENOSPC:when=N+"),
    ("fsync,fdatasync", "error=EIO:when=N"),
    ("pread64", "error=EIO:when=N"),
];

#[test]
fn an_export_is_absent_or_whole_wherever_it_is_ended() {
    if !works() {
        return;
    }
    let bench = Bench::new("wal");
    let sandbox = &bench.case.sandbox;
    fs_err::create_dir(sandbox.path("made")).expect("folder");
    sandbox.ok(&EXPORT);
    let path = sandbox.path("made/e.jsonl");
    let whole = fs_err::read(&path).expect("an export");
    let check = |_: &Bench, said: &Said, what: &str| {
        let found = fs_err::read(&path).ok();
        assert!(found.as_ref().is_none_or(|found| *found == whole), "torn: {what}");
        assert!(found.is_some() || said.code != Some(0), "success, and nothing there: {what}");
        // The next one sweeps what was left.
        sandbox.ok(&EXPORT);
        assert_eq!(names(&sandbox.path("made")), ["e.jsonl"], "{what}");
    };
    let n_done = DONE.map(|(calls, done)| bench.at_every(calls, done, &EXPORT, check));
    assert!(n_done.iter().sum::<u32>() > 20, "{n_done:?}");
}
