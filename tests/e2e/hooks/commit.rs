//! A commit that touches schema files: the checkpoint before it, and its trailer, in every way that
//! git has to commit.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::support::sandbox::Sandbox;

/// Commits with the hooks and says nothing but what they say.
pub(crate) fn commit(sandbox: &Sandbox, arguments: &[&str]) -> crate::support::sandbox::Said {
    sandbox.hooked(&[&["commit", "--quiet"], arguments].concat())
}

/// The message of the last commit.
pub(crate) fn message(sandbox: &Sandbox) -> String {
    sandbox.git(&["log", "-1", "--format=%B"])
}

/// The name in the newest record of kind `pre-commit`.
pub(crate) fn newest(sandbox: &Sandbox) -> String {
    let records = sandbox.records("pre-commit");
    records[0]["name"].as_str().expect("a name").to_owned()
}

/// Commits with an editor, which is a shell script given the message's path as `$1`.
pub(crate) fn commit_with_editor(
    sandbox: &Sandbox,
    script: &str,
    arguments: &[&str],
) -> Option<i32> {
    sandbox.write("../editor", format!("#!/bin/sh\n{script}\n"));
    let editor = sandbox.path("../editor");
    let mode = std::fs::Permissions::from_mode(0o755);
    fs_err::set_permissions(&editor, mode).expect("permissions");
    let mut git = sandbox.git_at_clock(&[&["commit", "--quiet"], arguments].concat());
    git.env("GIT_EDITOR", &editor).output().expect("git runs").status.code()
}

/// Whether git left a lock or we left the note of a checkpoint.
fn assert_nothing_left(sandbox: &Sandbox) {
    for file in [".git/index.lock", ".git/xtask-db-checkpoint"] {
        assert!(!sandbox.path(file).exists(), "{file} was left");
    }
}

#[test]
fn a_commit_of_a_migration_has_a_checkpoint_and_its_trailer() {
    let sandbox = Sandbox::with_hooks();
    let head = sandbox.git(&["rev-parse", "HEAD"]);
    sandbox.stage_migration("moods");
    let said = commit(&sandbox, &["--message=moods"]);
    insta::assert_snapshot!(said.err, @"xtask-db: checkpoint kalito.db.2025-09-13_143030.pages (8.0 KB)");
    insta::assert_snapshot!(message(&sandbox), @r"
    moods

    Db-Backup: kalito.db.2025-09-13_143030.pages (8.0 KB; +moods)
    ");
    let record = &sandbox.records("pre-commit")[0];
    assert_eq!(record["git"]["branch"], "main");
    assert_eq!(record["git"]["commit"], head.as_str());
    assert_eq!(record["git"]["worktree"], ".");
    assert_eq!(record["paths"], serde_json::json!(["backend/db/migrations/0002_moods.sql"]));
    assert_eq!(record["enters"], serde_json::Value::Null);
    assert_eq!(record["state"], "verified");
    assert_nothing_left(&sandbox);
}

#[test]
fn the_first_commit_of_an_empty_repository_has_one_too() {
    let sandbox = Sandbox::new();
    sandbox.configure("schema = [\"backend/db/migrations/*.sql\"]");
    sandbox.hooked(&["init", "--quiet", "--initial-branch=main"]);
    sandbox.write(".gitignore", "*.db*\n");
    sandbox.ok(&["db-hooks", "install"]);
    sandbox.stage_migration("moods");
    commit(&sandbox, &["--message=first"]);
    let record = &sandbox.records("pre-commit")[0];
    assert_eq!(record["git"]["branch"], "main");
    assert_eq!(record["git"]["commit"], serde_json::Value::Null);
    assert_eq!(sandbox.trailers().len(), 1);
}

#[test]
fn every_way_to_change_a_schema_file_counts_and_no_other_file_does() {
    let sandbox = Sandbox::with_hooks();
    let folder = "backend/db/migrations";
    let one = format!("{folder}/0001_messages.sql");
    let paths = |sandbox: &Sandbox| sandbox.records("pre-commit")[0]["paths"].clone();
    sandbox.write(&one, "-- changed\n");
    commit(&sandbox, &["--all", "--message=changed"]);
    assert_eq!(paths(&sandbox), serde_json::json!([one]));
    sandbox.hooked(&["mv", &one, "notes.sql"]);
    commit(&sandbox, &["--message=renamed from"]);
    assert_eq!(paths(&sandbox), serde_json::json!([one]));
    sandbox.hooked(&["mv", "notes.sql", &one]);
    commit(&sandbox, &["--message=renamed to"]);
    assert_eq!(paths(&sandbox), serde_json::json!([one]));
    sandbox.hooked(&["mv", &one, &format!("{folder}/0001_b c.sql")]);
    commit(&sandbox, &["--message=renamed within"]);
    assert_eq!(paths(&sandbox), serde_json::json!([format!("{folder}/0001_b c.sql"), one]));
    sandbox.hooked(&["rm", "--quiet", &format!("{folder}/0001_b c.sql")]);
    commit(&sandbox, &["--message=deleted"]);
    assert_eq!(sandbox.n_of("pre-commit"), 5);
    sandbox.write(&format!("{folder}/README.md"), "no schema\n");
    sandbox.write(&format!("{folder}/deeper/0002.sql"), "-- below\n");
    sandbox.hooked(&["add", "backend"]);
    let said = commit(&sandbox, &["--message=other"]);
    assert_eq!((said.err.as_str(), sandbox.n_of("pre-commit")), ("", 5));
    assert_eq!(sandbox.trailers(), [""; 0]);
}

#[test]
fn a_commit_with_an_index_of_its_own_takes_what_it_commits() {
    let sandbox = Sandbox::with_hooks();
    let path = "backend/db/migrations/0001_messages.sql";
    // -a, and a path: neither is in the ordinary index when the hook runs.
    for arguments in [&["--all"][..], &["--only", path], &["--include", path], &[path]] {
        sandbox.write(path, format!("-- {arguments:?}\n"));
        let before = sandbox.n_of("pre-commit");
        commit(&sandbox, &[&["--message=changed"], arguments].concat());
        assert_eq!(sandbox.n_of("pre-commit"), before + 1, "{arguments:?}");
        assert!(sandbox.trailers()[0].starts_with(&newest(&sandbox)), "{arguments:?}");
        assert_eq!(sandbox.git(&["status", "--porcelain"]), "", "{arguments:?}");
        assert_nothing_left(&sandbox);
    }
    // A migration that is staged and not committed now is none of this commit's.
    sandbox.stage_migration("moods");
    sandbox.write("notes.txt", "notes");
    sandbox.hooked(&["add", "notes.txt"]);
    let before = sandbox.n_of("pre-commit");
    commit(&sandbox, &["--message=notes", "notes.txt"]);
    assert_eq!((sandbox.n_of("pre-commit"), sandbox.trailers().len()), (before, 0));
    commit(&sandbox, &["--message=moods"]);
    assert_eq!((sandbox.n_of("pre-commit"), sandbox.trailers().len()), (before + 1, 1));
}

#[test]
fn an_amendment_keeps_or_replaces_the_trailer_and_never_has_two() {
    for arguments in [&["--no-edit"][..], &[]] {
        let sandbox = Sandbox::with_hooks();
        sandbox.stage_migration("moods");
        commit(&sandbox, &["--message=moods"]);
        let first = sandbox.trailers();
        // Nothing of the schema changes: the trailer stays, and nothing is taken.
        sandbox.write("notes.txt", "notes");
        sandbox.hooked(&["add", "notes.txt"]);
        commit(&sandbox, &[&["--amend"], arguments].concat());
        assert_eq!((sandbox.trailers(), sandbox.n_of("pre-commit")), (first.clone(), 1));
        // Something does: a newer checkpoint replaces the older one.
        sandbox.stage_migration("tags");
        commit(&sandbox, &[&["--amend"], arguments].concat());
        assert_eq!((sandbox.trailers().len(), sandbox.n_of("pre-commit")), (1, 2));
        assert!(sandbox.trailers()[0].starts_with(&newest(&sandbox)), "{arguments:?}");
        assert_ne!(sandbox.trailers(), first);
    }
}

#[test]
fn an_amendment_with_a_message_of_its_own_has_the_trailer_of_what_it_adds() {
    let sandbox = Sandbox::with_hooks();
    sandbox.stage_migration("moods");
    commit(&sandbox, &["--message=moods"]);
    commit(&sandbox, &["--amend", "--message=said better"]);
    assert_eq!(message(&sandbox), "said better");
    sandbox.stage_migration("tags");
    commit(&sandbox, &["--amend", "--message=with tags"]);
    assert_eq!(sandbox.trailers().len(), 1);
    // Taken over from another commit, whose trailer comes along and is replaced.
    sandbox.stage_migration("words");
    commit(&sandbox, &["--reuse-message=HEAD"]);
    assert_eq!(sandbox.trailers().len(), 1);
    assert!(sandbox.trailers()[0].starts_with(&newest(&sandbox)));
}

#[test]
fn a_commit_without_hooks_has_no_trailer_even_of_an_aborted_one_before() {
    let sandbox = Sandbox::with_hooks();
    sandbox.stage_migration("moods");
    // The editor leaves nothing.
    assert_eq!(commit_with_editor(&sandbox, ": > \"$1\"", &[]), Some(1));
    assert_eq!(sandbox.n_of("pre-commit"), 1);
    commit(&sandbox, &["--no-verify", "--message=moods"]);
    assert_eq!(message(&sandbox), "moods");
    assert_nothing_left(&sandbox);
}

#[test]
fn a_user_s_own_hook_that_refuses_leaves_no_trailer_behind() {
    let sandbox = Sandbox::without_hooks();
    sandbox.write_hook("pre-commit", "#!/bin/sh\nexit 7\n", 0o755);
    sandbox.ok(&["db-hooks", "install"]);
    sandbox.stage_migration("moods");
    assert_eq!(sandbox.tries(&["commit", "--message=moods"]).code, Some(1));
    assert!(sandbox.path(".git/xtask-db-checkpoint").exists(), "what this test is about");
    commit(&sandbox, &["--no-verify", "--message=moods"]);
    assert_eq!(message(&sandbox), "moods");
    assert_nothing_left(&sandbox);
    // Nor in the message of a commit that has nothing to do with it.
    sandbox.stage_migration("tags");
    assert_eq!(sandbox.tries(&["commit", "--message=tags"]).code, Some(1));
    sandbox.hooked(&["reset", "--quiet"]);
    sandbox.write_hook("pre-commit", "#!/bin/sh\nexit 0\n", 0o755);
    commit(&sandbox, &["--allow-empty", "--message=empty"]);
    assert_eq!(message(&sandbox), "empty");
    assert_nothing_left(&sandbox);
}

#[test]
fn unchanged_content_is_a_record_of_its_own_and_a_hard_link() {
    let sandbox = Sandbox::with_hooks();
    let inode = |name: &str| fs_err::metadata(sandbox.backup_path(name)).expect("a backup").ino();
    sandbox.stage_migration("moods");
    commit(&sandbox, &["--message=moods"]);
    let first = newest(&sandbox);
    sandbox.stage_migration("tags");
    commit(&sandbox, &["--message=tags"]);
    let second = newest(&sandbox);
    assert_ne!(first, second);
    assert_eq!(inode(&first), inode(&second));
    assert!(sandbox.trailers()[0].starts_with(&second));
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    sandbox.stage_migration("words");
    commit(&sandbox, &["--message=words"]);
    assert_ne!(inode(&newest(&sandbox)), inode(&second));
    sandbox.ok(&["db-verify", "--all"]);
}
