//! The binary under `strace`, which kills it or makes a system call of it fail at any moment, and
//! what must hold afterwards.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::support::museum::{Case, bytes_of, is_backup, names, only_backup, raw, remove_live};
use crate::support::sandbox::{Said, Sandbox, open};

/// More moments than this of one kind of call are thinned out evenly.
const MAX_POINTS: u32 = 24;

/// Whether `strace` works here; prints a warning if it does not.
pub(crate) fn works() -> bool {
    let sandbox = Sandbox::empty();
    let tried = sandbox.command("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    let works = tried.is_ok_and(|output| output.status.success());
    if !works {
        complain("SKIPPED: a test of kills and failing disks needs strace and leave to trace");
    }
    works
}

/// Reports something on the real stderr, past the test's captured one.
pub(crate) fn complain(what: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// Runs the xtask under `strace` with further options.
pub(crate) fn traced(sandbox: &Sandbox, options: &[&str], arguments: &[&str]) -> Said {
    let inner = sandbox.xtask(arguments);
    let mut outer = sandbox.command("strace");
    for (name, value) in inner.get_envs() {
        if let Some(value) = value {
            outer.env(name, value);
        }
    }
    // Without `--seccomp-bpf`: with it strace 6.1 injects nothing from the second call on.
    outer
        .args(["-f", "-qq", "-o", "../trace"])
        .args(options)
        .arg(inner.get_program())
        .args(inner.get_args());
    sandbox.said(&outer.output().expect("strace runs"))
}

/// A workspace that is restored into one state before each run.
pub(crate) struct Bench {
    pub(crate) case: Case,
    files: Vec<(PathBuf, Vec<u8>)>,
    /// The pages before, without the header's bookkeeping.
    old: Vec<u8>,
    /// The pages of the backup, likewise.
    new: Vec<u8>,
}

impl Bench {
    pub(crate) fn new(journal_mode: &str) -> Self {
        Self::of(Case::new(journal_mode))
    }

    /// The same with its backup in the page store.
    pub(crate) fn stored(journal_mode: &str) -> Self {
        Self::of(Case::stored(journal_mode))
    }

    fn of(case: Case) -> Self {
        let live = raw(&case.sandbox);
        let backup = only_backup(&case.sandbox);
        let name = backup.file_name().expect("a name").to_string_lossy().into_owned();
        let new = masked(bytes_of(&case.sandbox, &name));
        let files = ["backups", "backups/packs", "backend/db"].map(|folder| {
            let folder = case.sandbox.path(folder);
            let paths = names(&folder).into_iter().map(move |name| folder.join(name));
            let files = paths.filter(|path| path.is_file());
            files.map(|path| (path.clone(), fs_err::read(path).expect("read")))
        });
        Self { files: files.into_iter().flatten().collect(), old: masked(live), new, case }
    }

    /// The same with these bytes in the live database's place, nothing if they are `None`.
    pub(crate) fn over(live: Option<&[u8]>) -> Self {
        let mut bench = Self::new("wal");
        let path = bench.case.sandbox.live();
        bench.files.retain(|(file, _)| *file != path);
        bench.files.extend(live.map(|bytes| (path, bytes.to_vec())));
        bench
    }

    /// The same with neither a database nor a backup.
    pub(crate) fn bare() -> Self {
        let mut bench = Self::over(None);
        bench.files.clear();
        bench
    }

    /// Everything as it was.
    fn reset(&self) {
        remove_live(&self.case.sandbox);
        let backups = self.case.sandbox.path("backups");
        fs_err::remove_dir_all(&backups).expect("removed");
        // What a command makes besides goes into this folder.
        let made = self.case.sandbox.path("made");
        if made.exists() {
            fs_err::remove_dir_all(&made).expect("removed");
            fs_err::create_dir(&made).expect("folder");
        }
        for (path, bytes) in &self.files {
            fs_err::create_dir_all(path.parent().expect("a folder")).expect("folder");
            fs_err::write(path, bytes).expect("written");
        }
    }

    /// Runs a command once for every moment of these calls, with this done to it there, and lets
    /// `check` look at what is left each time. Returns how often something was done to it.
    pub(crate) fn at_every(
        &self,
        calls: &str,
        done: &str,
        arguments: &[&str],
        check: impl Fn(&Self, &Said, &str),
    ) -> u32 {
        self.reset();
        let trace = format!("trace={calls}");
        traced(&self.case.sandbox, &["-e", &trace], arguments);
        let n_calls = self.most_calls_of_a_thread();
        let mut n_done = 0;
        for n in (1..=n_calls).step_by(n_calls.div_ceil(MAX_POINTS).max(1) as usize) {
            self.reset();
            let inject = format!("inject={calls}:{}", done.replace("=N", &format!("={n}")));
            let said = traced(&self.case.sandbox, &["-e", &trace, "-e", &inject], arguments);
            let log = fs_err::read(self.case.sandbox.path("../trace")).expect("a log");
            let log = String::from_utf8_lossy(&log);
            n_done += u32::from(log.contains("INJECTED") || said.code.is_none());
            check(self, &said, &format!("{inject}: {said:#?}"));
        }
        n_done
    }

    /// `strace` counts the calls of each name in each thread.
    fn most_calls_of_a_thread(&self) -> u32 {
        let log = fs_err::read(self.case.sandbox.path("../trace")).expect("a log");
        let mut counts = BTreeMap::<String, u32>::new();
        for line in String::from_utf8_lossy(&log).lines() {
            if let Some((call, _)) = line.split_once('(') {
                *counts.entry(call.to_owned()).or_default() += 1;
            }
        }
        counts.values().copied().max().unwrap_or(0)
    }

    /// Every backup is the old or the new state, whole; the next command finds all of them whole and
    /// sweeps what else was left.
    pub(crate) fn backups_are_whole(&self, what: &str) {
        let sandbox = &self.case.sandbox;
        for name in sandbox.backups() {
            let bytes = masked(bytes_of(sandbox, &name));
            assert!(bytes == self.old || bytes == self.new, "{name} is torn: {what}");
        }
        let said = sandbox.run(&["db-verify", "--all"]);
        assert_eq!(said.code, Some(0), "{said:#?} after {what}");
        // An examination that a failing disk cut short is not an examination.
        for record in sandbox.json(&["db-list"])["backups"].as_array().expect("backups") {
            assert_eq!(record["examined"]["findings"], serde_json::json!([]), "{what}");
        }
        let left = names(&sandbox.path("backups"));
        for name in &left {
            let partner = match name.strip_suffix(".json") {
                Some(backup) => backup.to_owned(),
                None if is_backup(name) => format!("{name}.json"),
                None => name.clone(),
            };
            let ours = [".lock", ".gitignore", ".readings"].contains(&name.as_str())
                || is_backup(name)
                || name.strip_suffix(".json").is_some_and(is_backup)
                || ["packs", "under-way"].contains(&name.as_str())
                || name.starts_with("kalito.db.ASIDE.");
            assert!(ours && left.contains(&partner), "{left:?} after {what}");
        }
        // A pack that no list names yet is harmless; a stage would not be.
        let packs = names(&sandbox.path("backups/packs"));
        assert!(
            packs.iter().all(|name| name.strip_suffix(".pack").is_some()),
            "{packs:?} after {what}"
        );
    }

    /// The live file's bytes once an application has opened it and rolled back what was half done.
    pub(crate) fn live_as_found(&self) -> Option<Vec<u8>> {
        let live = self.case.sandbox.live();
        if live.exists() {
            // What this finds does not matter: the bytes it leaves do.
            let _ = open(&live).query_row("PRAGMA user_version", [], |_| Ok(()));
        }
        fs_err::read(live).ok()
    }

    /// Whether the live database is the new state; anything but the old and the new is a failure.
    pub(crate) fn live_is_new(&self, what: &str) -> bool {
        let sandbox = &self.case.sandbox;
        let check: String = open(&sandbox.live())
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect("checked");
        assert_eq!(check, "ok", "{what}");
        let live = masked(raw(sandbox));
        assert!(
            live == self.old || live == self.new,
            "neither old nor new, {} bytes: {what}",
            live.len()
        );
        live == self.new
    }
}

/// A database's bytes without the header's bookkeeping, which changes with who copied them.
fn masked(mut bytes: Vec<u8>) -> Vec<u8> {
    for range in [18..20, 24..28, 40..44, 92..100] {
        if let Some(bytes) = bytes.get_mut(range) {
            bytes.fill(0);
        }
    }
    bytes
}
