//! The export that git keeps: committed by itself, and pushed only if nothing of the user's goes along.

use super::{change, scheduled};
use crate::support::sandbox::Sandbox;

const EXPORT: &str =
    "export = { into = \"snapshots\", format = \"jsonl\", commit = true, push = \"origin\" }";

/// A repository with a remote, a schedule and an export.
fn exporting() -> Sandbox {
    let sandbox = scheduled();
    sandbox.configure(EXPORT);
    sandbox.write(".gitignore", "*.db*\n/backups/\n");
    sandbox.git(&["init", "--quiet", "--initial-branch=main"]);
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message=first"]);
    sandbox.git(&["init", "--quiet", "--bare", "--initial-branch=main", "../remote"]);
    sandbox.git(&["remote", "add", "origin", "../remote"]);
    sandbox.git(&["push", "--quiet", "origin", "main"]);
    sandbox.set_clock("2025-09-13T03:00:00+02:00");
    sandbox
}

fn at(sandbox: &Sandbox, day: u32) {
    sandbox.set_clock(&format!("2025-09-{day}T03:00:00+02:00"));
    change(sandbox, &day.to_string());
}

fn subjects(sandbox: &Sandbox, of: &str) -> Vec<String> {
    let log = sandbox.git(&["log", "--format=%s", of, "--"]);
    log.lines().map(str::to_owned).collect()
}

#[test]
fn an_export_is_committed_alone_and_pushed() {
    let sandbox = exporting();
    // A hook that would stop every commit, and work of the user's that is staged and not staged.
    sandbox.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n");
    sandbox.git(&["config", "core.fsmonitor", "false"]);
    sandbox.command("chmod").args(["+x", ".git/hooks/pre-commit"]).status().expect("chmod");
    sandbox.write("staged.txt", "staged");
    sandbox.git(&["add", "staged.txt"]);
    sandbox.write("staged.txt", "staged, and changed");
    sandbox.write("untracked.txt", "x");
    sandbox.ok(&["db-schedule", "run"]);
    assert_eq!(subjects(&sandbox, "main"), ["Scheduled export of kalito", "first"]);
    assert_eq!(subjects(&sandbox, "origin/main"), ["Scheduled export of kalito", "first"]);
    assert_eq!(
        sandbox.git(&["show", "--format=", "--name-only", "HEAD"]),
        "snapshots/kalito.jsonl"
    );
    assert_eq!(sandbox.git(&["status", "--porcelain"]), "AM staged.txt\n?? untracked.txt");
    let message = sandbox.git(&["log", "-1", "--format=%B"]);
    assert!(message.ends_with("Scheduled-Export: 2025-09-13T02:00:00+02:00"), "{message}");
    // Nothing changed: no commit.
    sandbox.set_clock("2025-09-14T03:00:00+02:00");
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(said.err.contains("The export is as it was committed"), "{said:#?}");
    assert_eq!(subjects(&sandbox, "main").len(), 2);
    at(&sandbox, 15);
    sandbox.ok(&["db-schedule", "run"]);
    assert_eq!(subjects(&sandbox, "origin/main").len(), 3);
    // It is an export that can be imported.
    sandbox.ok(&["db-import", "snapshots/kalito.jsonl", "--into", "../copy.db"]);
}

#[test]
fn commits_of_the_user_are_not_pushed_along() {
    let sandbox = exporting();
    sandbox.ok(&["db-schedule", "run"]);
    sandbox.write("work.txt", "unfinished");
    sandbox.git(&["add", "work.txt"]);
    sandbox.git(&["commit", "--quiet", "--message=unfinished"]);
    at(&sandbox, 14);
    let said = sandbox.ok(&["db-schedule", "run"]);
    let warning = "warning: the export in `snapshots` is not pushed: `main` has 1 commit of yours that origin has not";
    assert!(said.err.contains(warning), "{said:#?}");
    assert_eq!(subjects(&sandbox, "origin/main").len(), 2);
    assert_eq!(subjects(&sandbox, "main").len(), 4);
    sandbox.git(&["push", "--quiet", "origin", "main"]);
    // A branch that was never pushed is not published either.
    sandbox.git(&["switch", "--quiet", "--create", "feature"]);
    at(&sandbox, 15);
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(said.err.contains("not pushed: `feature` is not on origin yet"), "{said:#?}");
}

#[test]
fn in_the_middle_of_something_the_export_waits() {
    let sandbox = exporting();
    sandbox.ok(&["db-schedule", "run"]);
    sandbox.git(&["switch", "--quiet", "--detach"]);
    at(&sandbox, 14);
    let said = sandbox.fails(2, &["db-schedule", "run"]);
    assert!(
        said.err
            .contains("error: the export was written, but not committed: no branch is checked out"),
        "{said:#?}"
    );
    sandbox.git(&["switch", "--quiet", "main"]);
    let path = sandbox.path(".git/MERGE_HEAD");
    fs_err::write(&path, sandbox.git(&["rev-parse", "HEAD"])).expect("written");
    let said = sandbox.fails(2, &["db-schedule", "run"]);
    assert!(
        said.err
            .contains("not committed: a merge is under way\nhint: end it; the next run commits"),
        "{said:#?}"
    );
    fs_err::remove_file(&path).expect("removed");
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(
        said.err.contains("done: backup, verification") && !said.out.contains("Backup created"),
        "{said:#?}"
    );
    assert_eq!(subjects(&sandbox, "origin/main").len(), 3);
}

#[test]
fn a_push_that_is_rejected_is_a_failure_with_its_reason() {
    let sandbox = exporting();
    sandbox.ok(&["db-schedule", "run"]);
    sandbox.git(&["clone", "--quiet", "../remote", "../other"]);
    for arguments in [
        &["commit", "--quiet", "--allow-empty", "--message=theirs"][..],
        &["push", "--quiet", "origin", "main"],
    ] {
        sandbox.git(&[&["-C", "../other"], arguments].concat());
    }
    at(&sandbox, 14);
    let said = sandbox.fails(2, &["db-schedule", "run"]);
    assert!(
        said.err.contains(
            "error: the export was committed, but could not be pushed to origin: git: [rejected] HEAD -> main (fetch first)\n\
             hint: if origin has newer commits, run `git pull --rebase origin main`; the next run pushes"
        ),
        "{said:#?}"
    );
    sandbox.git(&["pull", "--quiet", "--rebase", "origin", "main"]);
    sandbox.ok(&["db-schedule", "run"]);
    assert_eq!(subjects(&sandbox, "origin/main")[..2], ["Scheduled export of kalito", "theirs"]);
}

#[test]
fn a_commit_that_somebody_amended_is_not_pushed() {
    let sandbox = exporting();
    // A way to search that would not find our own commits.
    sandbox.git(&["config", "grep.patternType", "fixed"]);
    sandbox.ok(&["db-schedule", "run"]);
    sandbox.git(&["remote", "set-url", "origin", "../nowhere"]);
    at(&sandbox, 14);
    sandbox.fails(2, &["db-schedule", "run"]);
    sandbox.git(&["remote", "set-url", "origin", "../remote"]);
    sandbox.write("work.txt", "unfinished");
    sandbox.git(&["add", "work.txt"]);
    sandbox.git(&["commit", "--quiet", "--amend", "--no-edit"]);
    let said = sandbox.ok(&["db-schedule", "run"]);
    let warning = "is not pushed: `main` has 1 commit of yours that origin has not";
    assert!(said.err.contains(warning), "{said:#?}");
    assert!(!sandbox.git(&["ls-tree", "--name-only", "origin/main"]).contains("work.txt"));
    // Without it, the waiting exports go.
    sandbox.git(&["rm", "--quiet", "work.txt"]);
    sandbox.git(&["commit", "--quiet", "--amend", "--no-edit"]);
    at(&sandbox, 15);
    sandbox.ok(&["db-schedule", "run"]);
    assert_eq!(subjects(&sandbox, "origin/main").len(), 4);
}

#[test]
fn an_export_into_a_submodule_is_a_failure() {
    let sandbox = exporting();
    sandbox.git(&["init", "--quiet", "../sub"]);
    sandbox.git(&["-C", "../sub", "commit", "--quiet", "--allow-empty", "--message=x"]);
    let file = ["-c", "protocol.file.allow=always"];
    sandbox.git(&[&file[..], &["submodule", "--quiet", "add", "../sub", "snapshots"]].concat());
    sandbox.git(&["commit", "--quiet", "--message=sub"]);
    let said = sandbox.fails(2, &["db-schedule", "run"]);
    assert!(
        said.err.contains("error: the export was written, but not committed: git: ")
            && said.err.contains("hint: `snapshots` must be a folder that this repository keeps"),
        "{said:#?}"
    );
}

#[test]
fn an_export_that_git_ignores_is_a_failure_and_never_as_committed() {
    let sandbox = exporting();
    sandbox.write(".gitignore", "*.db*\n/backups/\n*.jsonl\n");
    for n in 1..=2 {
        let said = sandbox.fails(2, &["db-schedule", "run"]);
        let error = "error: the export was written, but not committed: git ignores `snapshots/kalito.jsonl`\n\
                     hint: `git check-ignore --verbose --no-index snapshots/kalito.jsonl` shows the rule";
        assert!(said.err.contains(error), "{n}: {said:#?}");
        assert!(!said.err.contains("as it was committed"), "{said:#?}");
    }
    // New files that `git status` is told to leave out are committed all the same.
    sandbox.write(".gitignore", "*.db*\n/backups/\n");
    sandbox.git(&["config", "status.showUntrackedFiles", "no"]);
    sandbox.ok(&["db-schedule", "run"]);
    assert_eq!(subjects(&sandbox, "origin/main"), ["Scheduled export of kalito", "first"]);
}
