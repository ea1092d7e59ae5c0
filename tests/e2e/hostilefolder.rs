//! A backups folder with things in it that are not what their names say: refused in words, never waited
//! for, never followed.

use crate::sandbox::{Said, Sandbox};
use crate::storeprune::{checkpoints, packs};

/// Makes a named pipe; `false`, with a word, where that is not possible.
fn pipe(sandbox: &Sandbox, path: &str) -> bool {
    let made = sandbox.command("mkfifo").arg(sandbox.path(path)).status();
    let made = made.is_ok_and(|status| status.success());
    if !made {
        crate::strace::complain("SKIPPED: `mkfifo` is missing");
    }
    made
}

/// Runs the xtask, which must not wait for ever.
fn within_a_minute(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let output = sandbox.xtask_under(&["timeout", "60"], arguments).output().expect("it runs");
    let said = sandbox.said(&output);
    assert_ne!(said.code, Some(124), "{arguments:?} waits for ever: {said:#?}");
    said
}

#[test]
fn a_pipe_as_the_lock_is_refused_and_not_waited_for() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("backups")).expect("folder");
    if !pipe(&sandbox, "backups/.lock") {
        return;
    }
    for arguments in [&["db-backup"][..], &["db-restore", "latest", "--yes"], &["db-status"]] {
        within_a_minute(&sandbox, arguments);
    }
    let said = within_a_minute(&sandbox, &["db-backup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("`$ROOT/backups/.lock` is not a file"), "{}", said.err);
    assert!(said.err.contains("hint: remove it"), "{}", said.err);
    fs_err::remove_file(sandbox.path("backups/.lock")).expect("removed");
    sandbox.ok(&["db-backup"]);
}

#[test]
fn pipes_among_the_packs_records_and_notes_are_not_waited_for() {
    let (sandbox, _) = checkpoints(2);
    let pack = packs(&sandbox).remove(0);
    let relative = format!("backups/packs/{}", pack.file_name().expect("a name").to_string_lossy());
    fs_err::remove_file(&pack).expect("removed");
    fs_err::remove_file(sandbox.path("backups/.readings")).expect("removed");
    let record = "backups/kalito.db.2025-01-01_000000.bak.json";
    sandbox.write("backups/kalito.db.2025-01-01_000000.bak", "theirs");
    if ![relative.as_str(), "backups/.readings", record].iter().all(|path| pipe(&sandbox, path)) {
        return;
    }
    for arguments in [
        &["db-list"][..],
        &["db-status"],
        &["db-verify", "--all"],
        &["db-backup", "--kind", "branch"],
        &["db-prune", "--keep-last", "1", "--dry-run"],
        &["db-restore", "oldest", "--into", "../other.db"],
    ] {
        within_a_minute(&sandbox, arguments);
    }
    let newest = &sandbox.json(&["db-list"])["backups"][0];
    assert_eq!(newest["kind"], "branch");
    sandbox.ok(&["db-restore", newest["name"].as_str().expect("a name"), "--into", "../new.db"]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a person moves a folder")]
fn a_symbolic_link_as_the_folder_of_packs_is_refused_and_nothing_behind_it_is_touched() {
    let (sandbox, _) = checkpoints(2);
    let (there, elsewhere) = (sandbox.path("backups/packs"), sandbox.path("../elsewhere"));
    fs_err::rename(&there, &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, &there).expect("linked");
    let before = crate::museum::names(&elsewhere);
    for arguments in [
        &["db-backup", "--kind", "branch"][..],
        &["db-prune", "--keep-last", "1", "--yes"],
        &["db-restore", "oldest", "--into", "../other.db"],
        &["db-status"],
    ] {
        let said = sandbox.run(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:#?}");
        assert!(said.err.contains("packs` is a symbolic link"), "{arguments:?}: {}", said.err);
    }
    assert_eq!(crate::museum::names(&elsewhere), before);
    // A plain backup needs no packs.
    sandbox.ok(&["db-backup"]);
}
