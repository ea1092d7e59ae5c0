//! `db-rollback`: the database as it was when the branch was entered, whatever happened since.

pub(crate) mod damaged_branch_point;
pub(crate) mod lookalike_branches;

use crate::support::sandbox::{Sandbox, messages};

/// On a new branch, a migration is committed and run; the content before is returned.
fn migrated_on(sandbox: &Sandbox, branch: &str) -> String {
    let before = sandbox.content();
    sandbox.hooked(&["switch", "--quiet", "--create", branch]);
    sandbox.stage_migration("memory_summaries");
    sandbox.hooked(&["commit", "--quiet", "--message=summaries"]);
    migrate(sandbox);
    before
}

/// A project with a backup, bound to git or not any more.
fn backed_up(hooks: bool) -> Sandbox {
    let sandbox = Sandbox::with_hooks();
    sandbox.ok(&["db-backup"]);
    if !hooks {
        sandbox.ok(&["db-hooks", "uninstall"]);
    }
    sandbox
}

fn migrate(sandbox: &Sandbox) {
    sandbox.sql("CREATE TABLE memory_summaries (id INTEGER PRIMARY KEY); PRAGMA user_version=13;");
}

/// The message of the last commit.
fn message(sandbox: &Sandbox) -> String {
    sandbox.git(&["log", "-1", "--format=%B"])
}

#[test]
fn a_failed_feature_branch_leaves_the_database_as_it_was_before() {
    let sandbox = Sandbox::with_hooks();
    let before = migrated_on(&sandbox, "feature/x");
    assert_eq!(sandbox.records("pre-commit").len(), 1);
    assert_eq!(message(&sandbox).matches("Db-Backup: ").count(), 1, "{}", message(&sandbox));
    sandbox.hooked(&["switch", "--quiet", "main"]);
    assert_ne!(sandbox.content(), before);
    let said = sandbox.ok(&["db-rollback", "--branch", "feature/x", "--yes"]);
    assert!(said.err.contains("is the state in which `feature/x` was entered"), "{}", said.err);
    assert_eq!(sandbox.content(), before);
    // The state that was rolled back is the safety backup's, and nothing is lost.
    sandbox.ok(&["db-restore", "safety", "--yes"]);
    assert_ne!(sandbox.content(), before);
    sandbox.ok(&["db-rollback", "--branch", "feature/x", "--yes"]);
    assert_eq!(sandbox.content(), before, "a second time");
}

#[test]
fn migrating_first_and_committing_afterwards_changes_nothing() {
    let sandbox = Sandbox::with_hooks();
    let before = sandbox.content();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    migrate(&sandbox);
    sandbox.stage_migration("memory_summaries");
    sandbox.hooked(&["commit", "--quiet", "--message=summaries"]);
    assert!(message(&sandbox).contains("+memory_summaries)"), "{}", message(&sandbox));
    sandbox.ok(&["db-rollback", "--yes"]);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn a_backup_on_main_in_between_is_still_the_branch_s_database() {
    for hooks in [true, false] {
        let sandbox = backed_up(hooks);
        let before = migrated_on(&sandbox, "feature");
        sandbox.hooked(&["switch", "--quiet", "main"]);
        sandbox.ok(&["db-backup", "--label", "on main"]);
        sandbox.ok(&["db-rollback", "--branch", "feature", "--yes"]);
        assert_eq!(sandbox.content(), before, "with hooks: {hooks}");
    }
}

#[test]
fn without_a_branch_point_only_what_is_certainly_older_is_taken() {
    let sandbox = Sandbox::with_hooks();
    sandbox.ok(&["db-hooks", "uninstall"]);
    sandbox.ok(&["db-backup", "--label", "older"]);
    sandbox.backup_with("newer");
    let before = migrated_on(&sandbox, "feature");
    sandbox.ok(&["db-backup", "--label", "on the branch itself"]);
    sandbox.hooked(&["switch", "--quiet", "main"]);
    let said = sandbox.ok(&["db-rollback", "--branch", "feature", "--yes"]);
    assert!(said.err.contains("is the newest backup that is older than `feature`"), "{}", said.err);
    assert_eq!(sandbox.content(), before);
    assert!(messages(&sandbox.live()).contains(&"newer".to_owned()));
}

#[test]
fn a_branch_without_any_older_backup_is_refused_with_what_there_is() {
    let sandbox = Sandbox::with_hooks();
    sandbox.ok(&["db-hooks", "uninstall"]);
    migrated_on(&sandbox, "feature");
    sandbox.ok(&["db-backup"]);
    let content = sandbox.content();
    let said = sandbox.fails(2, &["db-rollback", "--yes"]);
    insta::assert_snapshot!(said.err.replace(&sandbox.git(&["rev-parse", "--short=7", "HEAD"]), "COMMIT"), @r"
    error: no backup is certainly older than `feature`
    hint: choose where to go with `--to REF`: `kalito.db.2025-09-13_143430.bak` (2min ago, feature@COMMIT)
    ");
    assert_eq!(sandbox.content(), content);
}

#[test]
fn the_base_branch_itself_is_refused() {
    let sandbox = Sandbox::with_hooks();
    sandbox.ok(&["db-backup"]);
    let said = sandbox.fails(2, &["db-rollback", "--yes"]);
    assert!(said.err.starts_with("error: `main` is the base branch"), "{}", said.err);
    let said = sandbox.fails(2, &["db-rollback", "--branch", "main", "--yes"]);
    assert!(said.err.contains("--base BRANCH"), "{}", said.err);
}

#[test]
fn a_merged_branch_has_its_branch_point_or_nothing() {
    for hooks in [true, false] {
        let sandbox = backed_up(hooks);
        let before = migrated_on(&sandbox, "feature");
        sandbox.hooked(&["switch", "--quiet", "main"]);
        sandbox.hooked(&["merge", "--quiet", "feature"]);
        if hooks {
            sandbox.ok(&["db-rollback", "--branch", "feature", "--yes"]);
            assert_eq!(sandbox.content(), before);
        } else {
            let said = sandbox.fails(2, &["db-rollback", "--branch", "feature", "--yes"]);
            assert!(said.err.contains("is merged already"), "{}", said.err);
            assert_ne!(sandbox.content(), before);
        }
    }
}

#[test]
fn merging_main_in_rebasing_and_amending_do_not_move_the_beginning() {
    for hooks in [true, false] {
        for act in [
            &["merge", "--quiet", "--no-edit", "main"][..],
            &["rebase", "--quiet", "main"],
            &["commit", "--quiet", "--amend", "--message=other"],
        ] {
            let sandbox = backed_up(hooks);
            let before = migrated_on(&sandbox, "feature");
            sandbox.hooked(&["switch", "--quiet", "main"]);
            sandbox.write("notes.txt", "on main");
            sandbox.hooked(&["add", "notes.txt"]);
            sandbox.hooked(&["commit", "--quiet", "--message=notes"]);
            sandbox.ok(&["db-backup", "--label", "the branch's database, on main"]);
            sandbox.hooked(&["switch", "--quiet", "feature"]);
            sandbox.hooked(act);
            sandbox.ok(&["db-backup"]);
            sandbox.ok(&["db-rollback", "--yes"]);
            assert_eq!(sandbox.content(), before, "{act:?}, with hooks: {hooks}");
        }
    }
}

#[test]
fn a_deleted_branch_can_be_rolled_back() {
    for hooks in [true, false] {
        let sandbox = backed_up(hooks);
        let before = migrated_on(&sandbox, "feature");
        sandbox.hooked(&["switch", "--quiet", "main"]);
        sandbox.hooked(&["branch", "--quiet", "-D", "feature"]);
        sandbox.ok(&["db-rollback", "--branch", "feature", "--yes"]);
        assert_eq!(sandbox.content(), before, "with hooks: {hooks}");
    }
}

#[test]
fn a_new_branch_of_an_old_name_has_a_branch_point_of_its_own() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    sandbox.hooked(&["switch", "--quiet", "main"]);
    sandbox.hooked(&["branch", "--quiet", "-D", "feature"]);
    sandbox.sql("INSERT INTO messages (content) VALUES ('in between')");
    let before = migrated_on(&sandbox, "feature");
    sandbox.ok(&["db-rollback", "--yes"]);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn a_renamed_branch_keeps_its_branch_point() {
    let sandbox = Sandbox::with_hooks();
    let before = migrated_on(&sandbox, "feature");
    sandbox.hooked(&["branch", "--move", "better-name"]);
    sandbox.ok(&["db-rollback", "--yes"]);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn a_branch_that_was_there_before_the_hooks_has_no_false_branch_point() {
    let sandbox = Sandbox::with_hooks();
    sandbox.ok(&["db-hooks", "uninstall"]);
    migrated_on(&sandbox, "feature");
    sandbox.hooked(&["switch", "--quiet", "main"]);
    sandbox.ok(&["db-hooks", "install"]);
    sandbox.hooked(&["switch", "--quiet", "feature"]);
    assert_eq!(sandbox.records("branch")[0]["enters"], serde_json::Value::Null);
    let said = sandbox.fails(2, &["db-rollback", "--yes"]);
    assert!(said.err.contains("no backup is certainly older"), "{}", said.err);
}

#[test]
fn a_detached_head_and_an_unknown_branch_are_refused() {
    let sandbox = Sandbox::with_hooks();
    sandbox.ok(&["db-backup"]);
    let said = sandbox.fails(2, &["db-rollback", "--branch", "nosuch", "--yes"]);
    assert!(said.err.contains("no branch is named `nosuch`"), "{}", said.err);
    sandbox.hooked(&["switch", "--quiet", "--detach"]);
    let said = sandbox.fails(2, &["db-rollback", "--yes"]);
    assert!(said.err.starts_with("error: HEAD is detached"), "{}", said.err);
}

#[test]
fn without_a_terminal_a_rollback_needs_a_yes_and_a_dry_run_changes_nothing() {
    let sandbox = Sandbox::with_hooks();
    let before = migrated_on(&sandbox, "feature");
    let migrated = sandbox.content();
    let said = sandbox.fails(2, &["db-rollback"]);
    assert!(said.err.contains("needs `--yes`"), "{}", said.err);
    let said = sandbox.ok(&["db-rollback", "--dry-run"]);
    assert!(said.out.contains("Would restore"), "{}", said.out);
    assert_eq!(sandbox.content(), migrated);
    sandbox.ok(&["db-rollback", "--to", "oldest", "--yes"]);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn the_branch_point_of_an_unmerged_branch_is_never_pruned() {
    let sandbox = Sandbox::with_hooks();
    migrated_on(&sandbox, "feature");
    let point = sandbox.records("branch")[0]["name"].as_str().expect("a name").to_owned();
    let prune = ["db-prune", "--keep-last", "1", "--yes"];
    sandbox.backup_with("newer");
    let said = sandbox.ok(&prune);
    assert!(said.out.contains("the branch point of an unmerged branch"), "{}", said.out);
    assert!(sandbox.backups().contains(&point));
    sandbox.hooked(&["switch", "--quiet", "main"]);
    sandbox.hooked(&["merge", "--quiet", "feature"]);
    sandbox.backup_with("newest");
    sandbox.ok(&prune);
    assert!(!sandbox.backups().contains(&point), "it is merged");
}
