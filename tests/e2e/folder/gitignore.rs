//! Backups stay out of git: system 1 claimed `.gitignore` while backups were committed.

use crate::support::sandbox::Sandbox;

/// A repository whose own `.gitignore` says nothing of backups.
fn repository() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", "/backend/db/\n");
    sandbox.git(&["init", "--quiet", "--initial-branch=main"]);
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message=first"]);
    sandbox
}

/// Neither the status nor `git add --all` sees anything, the folder's own `.gitignore` included: a
/// tracked one would be in the way of a switch to a branch without it.
fn assert_ignored(sandbox: &Sandbox, folder: &str) {
    let status = ["status", "--porcelain", "--untracked-files=all"];
    let seen = sandbox.git(&status);
    assert_eq!(seen, "");
    for entry in fs_err::read_dir(sandbox.path(folder)).expect("backups") {
        let path = entry.expect("entry").path();
        // Exit 0 only if it is ignored.
        sandbox.git(&["check-ignore", "--quiet", &path.to_string_lossy()]);
    }
    sandbox.git(&["add", "--all"]);
    let staged = sandbox.git(&["diff", "--cached", "--name-only"]);
    assert_eq!(staged, "");
}

#[test]
fn claimed_gitignore_while_backups_were_committed() {
    let sandbox = repository();
    sandbox.backup();
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert_ignored(&sandbox, "backups");
}

#[test]
fn what_is_set_aside_is_ignored_too() {
    let sandbox = repository();
    sandbox.backup();
    sandbox.sql("PRAGMA journal_mode=DELETE");
    sandbox.write("backend/db/kalito.db", "no database any more");
    sandbox.ok(&["db-restore", "latest", "--yes", "--force"]);
    assert!(sandbox.path("backups/kalito.db.ASIDE.2025-09-13_142630").is_dir());
    assert_ignored(&sandbox, "backups");
}

#[test]
fn a_backups_folder_of_another_name_is_ignored_too() {
    let sandbox = repository();
    let mut command = sandbox.xtask(&["db-backup"]);
    let output = command.env("DATABASE_BACKUP_DIR", "safe/copies").output();
    let said = sandbox.said(&output.expect("the binary runs"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_ignored(&sandbox, "safe/copies");
}

#[test]
fn backups_that_were_committed_are_pointed_out_by_setup() {
    let sandbox = repository();
    let name = sandbox.backup();
    sandbox.git(&["add", "--force", &format!("backups/{name}")]);
    let said = sandbox.ok(&["db-setup"]);
    assert!(said.err.contains("warning: git tracks 1 file in the backups folder"), "{said:#?}");
    assert!(said.err.contains("git rm --cached"), "{said:#?}");
}
