//! Branches from before a project used these tasks, and programs that do not have them.

use super::shell_block::program;
use crate::support::sandbox::Sandbox;

const LEFT_ALONE: &str =
    "xtask-db: nothing to do on this branch: its Cargo.toml configures no database\n";

/// A repository whose branch `old` is from before the adoption, with this manifest; `main` is checked out.
fn adopted_later(old: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure("schema = [\"backend/db/migrations/*.sql\"]");
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    sandbox.write("Cargo.toml", old);
    sandbox.write("backend/db/migrations/0001_messages.sql", "-- messages\n");
    sandbox.write(".gitignore", "*.db*\n/backups\n");
    sandbox.hooked(&["init", "--quiet", "--initial-branch=main"]);
    sandbox.hooked(&["add", "--all"]);
    sandbox.hooked(&["commit", "--quiet", "--message=first"]);
    sandbox.hooked(&["branch", "old"]);
    sandbox.write("Cargo.toml", manifest);
    sandbox.hooked(&["commit", "--quiet", "--all", "--message=adopted"]);
    sandbox.ok(&["db-hooks", "install"]);
    sandbox
}

/// Makes the hooks start another program, which knows nothing of these tasks.
fn with_another_program(sandbox: &Sandbox) {
    let text = "#!/bin/sh\necho \"error: unrecognized subcommand '$1'\" >&2\nexit 2\n";
    let other = program(sandbox, "../other", text);
    for entry in fs_err::read_dir(sandbox.path(".git/hooks")).expect("folder") {
        let path = entry.expect("entry").path();
        let text = fs_err::read_to_string(&path).expect("a hook");
        let text = text.replace(env!("CARGO_BIN_EXE_xtask"), other.to_str().expect("a path"));
        fs_err::write(&path, text).expect("written");
    }
}

#[test]
fn a_branch_whose_manifest_configures_nothing_is_left_alone() {
    for old in ["[workspace]\nmembers = []\n", "[package]\nname = \"app\"\n"] {
        let sandbox = adopted_later(old);
        assert_eq!(sandbox.hooked(&["switch", "--quiet", "old"]).err, LEFT_ALONE);
        sandbox.stage_migration("moods");
        let said = sandbox.hooked(&["commit", "--quiet", "--message=moods"]);
        assert_eq!(said.err, LEFT_ALONE);
        assert_eq!(sandbox.trailers(), [""; 0]);
        sandbox.hooked(&["switch", "--quiet", "main"]);
        assert_eq!(sandbox.n_of("pre-commit"), 0);
        sandbox.stage_migration("tags");
        sandbox.hooked(&["commit", "--quiet", "--message=tags"]);
        assert_eq!((sandbox.n_of("pre-commit"), sandbox.trailers().len()), (1, 1));
    }
}

#[test]
fn a_broken_configuration_still_blocks_the_commit() {
    for (broken, why) in [
        ("[workspace]\n[workspace.metadata.db]\n", "does not name a database"),
        ("[workspace]\n[workspace.metadata.db]\nbackup = 'x'\n", "unknown key `backup`"),
        ("[workspace]\n<<<<<<< HEAD\n", "as TOML"),
    ] {
        let sandbox = Sandbox::with_hooks();
        sandbox.stage_migration("moods");
        sandbox.write("Cargo.toml", broken);
        let said = sandbox.tries(&["commit", "--quiet", "--message=moods"]);
        assert_eq!(said.code, Some(1), "{said:#?}");
        assert!(said.err.contains(why), "{said:#?}");
        assert!(said.err.contains("so the commit is blocked"), "{said:#?}");
        assert!(!said.err.contains("not this project's xtask"), "{said:#?}");
    }
}

#[test]
fn another_program_at_the_xtask_s_path_is_named_and_the_commit_blocked() {
    let sandbox = adopted_later("[workspace]\nmembers = []\n");
    with_another_program(&sandbox);
    sandbox.stage_migration("moods");
    let said = sandbox.tries(&["commit", "--quiet", "--message=moods"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    insta::assert_snapshot!(said.err.replace("$ROOT/../", "$FOLDER/"), @r"
    error: unrecognized subcommand 'db-hooks'
    xtask-db: $FOLDER/other is not this project's xtask, or is one without xtask-db; `cargo xtask db-status` builds the right one
    xtask-db: no checkpoint, so the commit is blocked; `git commit --no-verify` commits without one
    ");
    // A commit that touches no schema file starts nothing.
    sandbox.hooked(&["reset", "--quiet"]);
    sandbox.write("notes.txt", "notes");
    sandbox.hooked(&["add", "notes.txt"]);
    assert_eq!(sandbox.hooked(&["commit", "--quiet", "--message=notes"]).err, "");
}

#[test]
fn another_program_does_not_block_a_commit_that_only_warns_nor_one_on_an_unconfigured_branch() {
    let sandbox = adopted_later("[workspace]\nmembers = []\n");
    sandbox.configure("[workspace.metadata.db.hooks]\non-failure = \"warn\"");
    sandbox.ok(&["db-hooks", "install"]);
    with_another_program(&sandbox);
    sandbox.stage_migration("moods");
    let said = sandbox.hooked(&["commit", "--quiet", "--all", "--message=moods"]);
    assert!(said.err.contains("is not this project's xtask"), "{said:#?}");
    assert!(!said.err.contains("blocked"), "{said:#?}");
    let sandbox = adopted_later("[workspace]\nmembers = []\n");
    with_another_program(&sandbox);
    let said = sandbox.tries(&["switch", "--quiet", "old"]);
    assert!(said.err.ends_with(LEFT_ALONE), "{said:#?}");
    sandbox.stage_migration("moods");
    let said = sandbox.hooked(&["commit", "--quiet", "--message=moods"]);
    assert!(said.err.ends_with(LEFT_ALONE), "{said:#?}");
}
