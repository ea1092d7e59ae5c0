//! `follow-branches`: the database goes with the branch only if requested, never a row is lost, and
//! a checkout never fails.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::sandbox::{Said, Sandbox, messages};

/// A repository whose database follows its branches in one way; on `feature` is a migration.
fn following(how: &str) -> Sandbox {
    let sandbox = Sandbox::with_hooks();
    sandbox.configure(&format!("[workspace.metadata.db.hooks]\nfollow-branches = \"{how}\""));
    sandbox.hooked(&["commit", "--quiet", "--all", "--message=follow"]);
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    sandbox.stage_migration("moods");
    sandbox.hooked(&["commit", "--quiet", "--message=moods"]);
    sandbox.sql("CREATE TABLE moods (id INTEGER PRIMARY KEY)");
    say(&sandbox, "on feature");
    sandbox
}

fn say(sandbox: &Sandbox, content: &str) {
    sandbox.sql(&format!("INSERT INTO messages (content) VALUES ('{content}')"));
}

fn switch(sandbox: &Sandbox, branch: &str) -> Said {
    sandbox.hooked(&["switch", "--quiet", branch])
}

fn last(sandbox: &Sandbox) -> String {
    messages(&sandbox.live()).pop().expect("a message")
}

fn newest(sandbox: &Sandbox) -> serde_json::Value {
    sandbox.records("branch")[0].clone()
}

#[test]
fn where_schema_files_differ_every_branch_has_its_own_database() {
    for how in ["schema", "always"] {
        let sandbox = following(how);
        let said = switch(&sandbox, "main");
        assert!(
            said.err.contains("switched the database to its last state on `main`"),
            "{said:#?}"
        );
        assert_eq!(last(&sandbox), "three");
        say(&sandbox, "on main");
        switch(&sandbox, "feature");
        assert_eq!(last(&sandbox), "on feature");
        say(&sandbox, "more on feature");
        switch(&sandbox, "main");
        assert_eq!(last(&sandbox), "on main");
        switch(&sandbox, "feature");
        assert_eq!(last(&sandbox), "more on feature");
    }
}

#[test]
fn the_undo_that_is_said_undoes_the_switch() {
    let sandbox = following("schema");
    let said = switch(&sandbox, "main");
    let undo = said.err.split("undo with: `cargo xtask ").nth(1);
    let undo = undo.or_else(|| said.err.split("undo with: cargo xtask ").nth(1));
    let undo = undo.unwrap_or_else(|| panic!("no undo: {}", said.err));
    let line = undo.lines().next().expect("a line");
    let words: Vec<&str> = line.trim_end_matches('`').split(' ').collect();
    sandbox.ok(&[&words[..], &["--yes"]].concat());
    assert_eq!(last(&sandbox), "on feature");
}

#[test]
fn where_schema_files_are_the_same_only_always_switches() {
    for (how, expected) in [("never", "two"), ("schema", "two"), ("always", "one")] {
        let sandbox = Sandbox::with_hooks();
        sandbox.configure(&format!("[workspace.metadata.db.hooks]\nfollow-branches = \"{how}\""));
        sandbox.hooked(&["commit", "--quiet", "--all", "--message=follow"]);
        say(&sandbox, "one");
        // A branch that is seen for the first time keeps the database.
        let said = sandbox.hooked(&["switch", "--quiet", "--create", "other"]);
        assert!(!said.err.contains("switched"), "{how}: {}", said.err);
        assert_eq!(last(&sandbox), "one");
        say(&sandbox, "two");
        let said = switch(&sandbox, "main");
        assert_eq!(last(&sandbox), expected, "{how}: {}", said.err);
    }
}

#[test]
fn by_default_and_for_a_protected_database_nothing_is_switched() {
    let sandbox = following("never");
    let said = switch(&sandbox, "main");
    assert!(said.err.contains("the database stays as it is; on `main` it was"), "{}", said.err);
    assert_eq!(last(&sandbox), "on feature");
    let sandbox = following("schema");
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    let manifest = manifest.replacen("schema = [", "protected = true\nschema = [", 1);
    sandbox.write("Cargo.toml", manifest);
    let said = switch(&sandbox, "main");
    assert!(said.err.contains("it is protected, so it was not switched"), "{}", said.err);
    assert_eq!(last(&sandbox), "on feature");
}

#[test]
fn the_host_s_command_gets_none_of_git_s_variables() {
    let sandbox = following("schema");
    let script = "env | grep ^GIT_ > seen; cat >> seen";
    sandbox.write("rebuild.sh", format!("#!/bin/sh\n{script}\n"));
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    let after = "after-restore = [\"sh\", \"rebuild.sh\"]\nschema = [";
    sandbox.write("Cargo.toml", manifest.replacen("schema = [", after, 1));
    // As a client does that names the repository to git.
    let mut git = sandbox.git_at_clock(&["switch", "--quiet", "main"]);
    git.env("GIT_DIR", sandbox.path(".git")).env("GIT_WORK_TREE", sandbox.root());
    git.env("GIT_INDEX_FILE", sandbox.path(".git/index"));
    let said = sandbox.said(&git.output().expect("git runs"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.err.contains("switched the database"), "{said:#?}");
    let seen = fs_err::read_to_string(sandbox.path("seen")).expect("the command ran");
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        assert!(!seen.contains(&format!("{variable}=")), "{seen}");
    }
}

#[test]
fn a_checkout_never_fails_whatever_becomes_of_the_checkpoint() {
    let sandbox = following("schema");
    sandbox.configure("[workspace.metadata.db]\nbusy-timeout = \"10ms\"");
    // A database that somebody writes to for ever.
    let writer = crate::support::sandbox::open(&sandbox.live());
    writer.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let said = switch(&sandbox, "main");
    assert_eq!(sandbox.git(&["branch", "--show-current"]), "main", "{}", said.err);
    drop(writer);
    assert_eq!(last(&sandbox), "on feature", "what somebody writes to is left alone");
    // A backups folder that is not a folder.
    let sandbox = following("schema");
    fs_err::remove_dir_all(sandbox.path("backups")).expect("removed");
    sandbox.write("backups", "in the way");
    let said = switch(&sandbox, "main");
    assert!(
        said.err.contains("warning: no checkpoint was taken when you switched"),
        "{}",
        said.err
    );
    assert_eq!(last(&sandbox), "on feature");
    // A database that SQLite cannot read.
    let sandbox = following("schema");
    sandbox.write("backend/db/kalito.db", "not a database, but long enough to look at ".repeat(99));
    let said = switch(&sandbox, "main");
    assert!(said.err.contains("warning: "), "{}", said.err);
    assert!(fs_err::read_to_string(sandbox.live()).expect("it").starts_with("not a database"));
    // A binary that fails, and one that is gone together with cargo.
    let sandbox = following("schema");
    let hook = fs_err::read_to_string(sandbox.hook("post-checkout")).expect("a hook");
    for (binary, mode) in [("failing", 0o755), ("missing", 0o644)] {
        sandbox.write("failing", "#!/bin/sh\nexit 101\n");
        let mode = std::fs::Permissions::from_mode(mode);
        fs_err::set_permissions(sandbox.path("failing"), mode).expect("permissions");
        let other = hook.replace(env!("CARGO_BIN_EXE_xtask"), "failing");
        assert_ne!(other, hook, "{binary}");
        sandbox.write(".git/hooks/post-checkout", other);
        let mut git = sandbox.git_at_clock(&["switch", "--quiet", "-"]);
        let output = git.env("PATH", "/usr/bin:/bin").output().expect("git runs");
        assert!(output.status.success(), "{binary}: {:#?}", sandbox.said(&output));
    }
}

#[test]
fn a_clock_that_was_set_back_does_not_change_which_state_is_the_last() {
    let sandbox = following("always");
    switch(&sandbox, "main");
    switch(&sandbox, "feature");
    say(&sandbox, "in the afternoon");
    sandbox.ok(&["db-backup"]);
    // Hours before `feature` was even created.
    sandbox.set_clock("2025-09-13T01:00:00+02:00");
    say(&sandbox, "before dawn");
    switch(&sandbox, "main");
    switch(&sandbox, "feature");
    assert_eq!(last(&sandbox), "before dawn");
    say(&sandbox, "at sunrise");
    switch(&sandbox, "main");
    sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    switch(&sandbox, "feature");
    assert_eq!(last(&sandbox), "at sunrise");
}

#[test]
fn a_new_branch_with_the_old_name_of_a_renamed_one_has_a_database_of_its_own() {
    let sandbox = following("always");
    // Renamed while it is checked out, and by way of a third name.
    sandbox.git(&["branch", "--move", "feature", "between"]);
    sandbox.git(&["branch", "--move", "between", "renamed"]);
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    assert_eq!(newest(&sandbox)["git"]["branch"], "renamed");
    say(&sandbox, "on the new feature");
    switch(&sandbox, "renamed");
    assert_eq!(last(&sandbox), "on feature");
    say(&sandbox, "more on renamed");
    switch(&sandbox, "feature");
    assert_eq!(last(&sandbox), "on the new feature");
    switch(&sandbox, "renamed");
    assert_eq!(last(&sandbox), "more on renamed");
}

#[test]
fn a_branch_that_was_renamed_behind_the_hooks_is_known_by_how_it_began() {
    let sandbox = following("always");
    switch(&sandbox, "main");
    switch(&sandbox, "feature");
    // The hooks see neither the switch nor the renaming, and a new branch takes the name.
    let unseen = |arguments: &[&str]| {
        sandbox.hooked(&[&["-c", "core.hooksPath=/dev/null"], arguments].concat());
    };
    unseen(&["switch", "--quiet", "main"]);
    unseen(&["branch", "--move", "feature", "renamed"]);
    unseen(&["branch", "feature"]);
    sandbox.hooked(&["switch", "--quiet", "--create", "other"]);
    assert_eq!(newest(&sandbox)["git"]["branch"], "renamed");
    switch(&sandbox, "renamed");
    assert_eq!(last(&sandbox), "on feature");
}
