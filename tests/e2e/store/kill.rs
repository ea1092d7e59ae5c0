//! `db-prune` killed or on a full disk at any call: every checkpoint that is listed gives back what it
//! was taken of, and the next pruning finishes.

use std::path::{Path, PathBuf};

use crate::store::prune::{Kept, checkpoints, give_back, packs_bytes};
use crate::support::museum::names;
use crate::support::sandbox::Sandbox;
use crate::support::strace::{traced, works};

const PRUNE: [&str; 4] = ["db-prune", "--keep-last", "2", "--yes"];

/// A backups folder that is restored into one state before each run.
struct Bench {
    sandbox: Sandbox,
    kept: Vec<Kept>,
    files: Vec<(PathBuf, Vec<u8>)>,
    /// What the packs take after a pruning that nothing disturbed.
    pruned_bytes: u64,
}

impl Bench {
    fn new() -> Self {
        let (sandbox, mut kept) = checkpoints(5);
        let folders = [sandbox.path("backups"), sandbox.path("backups/packs")];
        let files = folders.iter().flat_map(|folder| files(folder)).collect();
        sandbox.ok(&PRUNE);
        let pruned_bytes = packs_bytes(&sandbox);
        kept.drain(..3);
        Self { sandbox, kept, files, pruned_bytes }
    }

    fn reset(&self) {
        for folder in ["backups/packs", "backups"] {
            let folder = self.sandbox.path(folder);
            for (path, _) in files(&folder) {
                fs_err::remove_file(path).expect("removed");
            }
        }
        for (path, bytes) in &self.files {
            fs_err::write(path, bytes).expect("written");
        }
    }

    /// Runs a pruning with this done to the N-th call, for ever more distant ones; returns how often.
    fn at_calls(&self, calls: &str, done: &str) -> u32 {
        let (mut n, mut n_done) = (1_u32, 0);
        loop {
            self.reset();
            let inject = format!("inject={calls}:{}", done.replace("=N", &format!("={n}")));
            let trace = format!("trace={calls}");
            let said = traced(&self.sandbox, &["-e", &trace, "-e", &inject], &PRUNE);
            let log = fs_err::read(self.sandbox.path("../trace")).expect("a log");
            if said.code.is_some() && !String::from_utf8_lossy(&log).contains("INJECTED") {
                return n_done;
            }
            n_done += 1;
            let what = format!("{inject}: {said:#?}");
            self.sandbox.ok(&["db-verify", "--all"]);
            self.sandbox.ok(&PRUNE);
            assert_eq!(packs_bytes(&self.sandbox), self.pruned_bytes, "{what}");
            let left = names(&self.sandbox.path("backups/packs"));
            assert!(left.iter().all(|name| !name.starts_with('.')), "{left:?} after {what}");
            give_back(&self.sandbox, &self.kept, &what);
            n += 1 + n / 4;
        }
    }
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = names(folder).into_iter().map(|name| folder.join(name));
    paths
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs_err::read(path).expect("read")))
        .collect()
}

#[test]
fn a_pruning_killed_at_any_call_loses_nothing_and_the_next_one_finishes_it() {
    if !works() {
        return;
    }
    let bench = Bench::new();
    let calls = ["openat", "write", "fsync,fdatasync", "?link,linkat", "?unlink,unlinkat"];
    let kills = calls.map(|calls| bench.at_calls(calls, "signal=SIGKILL:when=N"));
    assert!(kills.iter().all(|n| *n > 0), "{kills:?}");
}

#[test]
fn a_pruning_on_a_full_or_failing_disk_loses_nothing_and_the_next_one_finishes_it() {
    if !works() {
        return;
    }
    let bench = Bench::new();
    for (calls, failure) in [
        ("write", "error=ENOSPC:when=N+"),
        ("fsync,fdatasync", "error=EIO:when=N"),
        ("?link,linkat", "error=ENOSPC:when=N"),
        ("?unlink,unlinkat", "error=EIO:when=N"),
    ] {
        assert!(bench.at_calls(calls, failure) > 0, "{calls} {failure}");
    }
}
