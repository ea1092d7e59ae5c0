//! `db-rollback` when a branch is easily taken for another, or its beginning for a later moment.

use crate::support::sandbox::Sandbox;

fn insert(sandbox: &Sandbox, content: &str) {
    sandbox.sql(&format!("INSERT INTO messages (content) VALUES ('{content}')"));
}

/// A commit that touches no schema file.
fn commit(sandbox: &Sandbox, name: &str) {
    sandbox.write(name, name);
    sandbox.hooked(&["add", name]);
    sandbox.hooked(&["commit", "--quiet", &format!("--message={name}")]);
}

fn without_hooks() -> Sandbox {
    let sandbox = Sandbox::with_hooks();
    sandbox.ok(&["db-hooks", "uninstall"]);
    sandbox
}

#[test]
fn two_branches_of_one_commit_and_one_second_are_not_taken_for_one_another() {
    let sandbox = Sandbox::with_hooks();
    for branch in ["plan-a", "plan-b"] {
        sandbox.set_clock("2025-09-14T09:00:00+02:00");
        sandbox.hooked(&["branch", branch]);
    }
    sandbox.hooked(&["switch", "--quiet", "plan-a"]);
    sandbox.hooked(&["switch", "--quiet", "main"]);
    insert(&sandbox, "three days of work");
    let before = sandbox.content();
    sandbox.hooked(&["switch", "--quiet", "plan-b"]);
    insert(&sandbox, "ruin");
    sandbox.ok(&["db-rollback", "--yes"]);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn a_copied_branch_has_not_the_branch_point_of_its_original() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["switch", "--quiet", "--create", "original"]);
    sandbox.hooked(&["switch", "--quiet", "main"]);
    insert(&sandbox, "newer");
    let before = sandbox.content();
    sandbox.hooked(&["branch", "--copy", "original", "copy"]);
    sandbox.hooked(&["switch", "--quiet", "copy"]);
    insert(&sandbox, "ruin");
    sandbox.ok(&["db-rollback", "--yes"]);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn a_branch_that_is_started_anew_has_a_new_branch_point() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    sandbox.hooked(&["switch", "--quiet", "main"]);
    insert(&sandbox, "weeks on main");
    commit(&sandbox, "weeks");
    let before = sandbox.content();
    sandbox.hooked(&["switch", "--quiet", "--force-create", "feature", "main"]);
    insert(&sandbox, "ruin");
    sandbox.ok(&["db-rollback", "--yes"]);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn a_renamed_and_deleted_branch_is_never_rolled_back_to_its_own_state() {
    let sandbox = without_hooks();
    sandbox.ok(&["db-backup"]);
    let before = sandbox.content();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    insert(&sandbox, "ruin");
    sandbox.ok(&["db-backup"]);
    sandbox.hooked(&["branch", "--move", "feature", "better"]);
    commit(&sandbox, "work");
    sandbox.hooked(&["switch", "--quiet", "main"]);
    sandbox.hooked(&["branch", "--quiet", "-D", "better"]);
    sandbox.ok(&["db-rollback", "--branch", "better", "--yes"]);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn a_restore_before_the_branch_counts_as_the_state_it_was_entered_with() {
    let sandbox = without_hooks();
    let first = sandbox.backup();
    let before = sandbox.content();
    sandbox.backup_with("an experiment that was given up");
    sandbox.ok(&["db-restore", &first, "--yes"]);
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    insert(&sandbox, "ruin");
    commit(&sandbox, "work");
    sandbox.ok(&["db-rollback", "--yes"]);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn after_an_undone_restore_nothing_is_certain() {
    let sandbox = without_hooks();
    let first = sandbox.backup();
    insert(&sandbox, "kept by the safety backup only");
    sandbox.ok(&["db-restore", &first, "--yes"]);
    sandbox.ok(&["db-restore", "safety", "--yes"]);
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    commit(&sandbox, "work");
    let said = sandbox.fails(2, &["db-rollback", "--yes"]);
    assert!(said.err.contains("was a restore"), "{}", said.err);
}

#[test]
fn without_reflogs_no_moment_is_certain() {
    let sandbox = without_hooks();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    insert(&sandbox, "migrated first");
    sandbox.hooked(&["switch", "--quiet", "main"]);
    sandbox.ok(&["db-backup", "--label", "the branch's database, on main"]);
    sandbox.hooked(&["switch", "--quiet", "feature"]);
    commit(&sandbox, "committed afterwards");
    let content = sandbox.content();
    sandbox.hooked(&["reflog", "expire", "--expire=now", "--all"]);
    let said = sandbox.fails(2, &["db-rollback", "--yes"]);
    assert!(said.err.contains("git has no reflog that shows"), "{}", said.err);
    assert_eq!(sandbox.content(), content);
}

#[test]
fn the_branch_point_of_a_branch_from_elsewhere_is_never_pruned() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["tag", "v1"]);
    commit(&sandbox, "newer");
    let before = sandbox.content();
    sandbox.hooked(&["switch", "--quiet", "--create", "hotfix", "v1"]);
    insert(&sandbox, "ruin");
    sandbox.hooked(&["switch", "--quiet", "main"]);
    sandbox.backup_with("newest");
    let said = sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    assert!(said.out.contains("the branch point of an unmerged branch"), "{}", said.out);
    sandbox.ok(&["db-rollback", "--branch", "hotfix", "--yes"]);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn without_git_no_branch_point_is_pruned() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    sandbox.hooked(&["switch", "--quiet", "main"]);
    sandbox.backup_with("newest");
    let mut command = sandbox.xtask(&["db-prune", "--keep-last", "1", "--yes"]);
    command.env("GIT_CEILING_DIRECTORIES", sandbox.root()).env("PATH", "/nowhere");
    let said = sandbox.said(&command.output().expect("it runs"));
    assert!(said.out.contains("the branch point of an unmerged branch"), "{said:?}");
}

#[test]
fn a_switch_that_the_hooks_did_not_see_moves_no_database() {
    let sandbox = Sandbox::with_hooks();
    sandbox.configure("[workspace.metadata.db.hooks]\nfollow-branches = \"always\"");
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    insert(&sandbox, "on feature");
    sandbox.hooked(&["switch", "--quiet", "main"]);
    insert(&sandbox, "important, on main");
    let before = sandbox.content();
    let mut unseen = sandbox.git_at_clock(&["switch", "--quiet", "feature"]);
    assert!(unseen.env("XTASK_DB_HOOKS", "0").status().expect("git runs").success());
    let said = sandbox.hooked(&["switch", "--quiet", "main"]);
    assert!(said.err.contains("an earlier switch between branches was not seen"), "{}", said.err);
    assert_eq!(sandbox.content(), before);
    sandbox.hooked(&["switch", "--quiet", "feature"]);
    sandbox.hooked(&["switch", "--quiet", "main"]);
    assert_eq!(sandbox.content(), before, "and later switches know whose it is");
}
