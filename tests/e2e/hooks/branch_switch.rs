//! Switches of branches and work trees, and what git does while it replays history.

use crate::support::sandbox::{Said, Sandbox};

/// Runs git and demands that the hooks say nothing and take nothing.
fn silent(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let before = sandbox.backups();
    let said = sandbox.tries(arguments);
    assert!(!said.err.contains("xtask-db"), "{arguments:?}: {}", said.err);
    assert_eq!(sandbox.backups(), before, "{arguments:?}: {}", said.err);
    said
}

/// Commits a file that is not a schema, silently.
fn commit_file(sandbox: &Sandbox, path: &str, text: &str) {
    sandbox.write(path, text);
    silent(sandbox, &["add", path]);
    assert_eq!(silent(sandbox, &["commit", "--quiet", "--message", path]).code, Some(0));
}

/// Commits a migration.
fn commit_migration(sandbox: &Sandbox, table: &str) {
    sandbox.stage_migration(table);
    sandbox.hooked(&["commit", "--quiet", "--message", table]);
}

/// The record of the newest checkpoint of kind `branch`.
fn newest(sandbox: &Sandbox) -> serde_json::Value {
    sandbox.records("branch")[0].clone()
}

#[test]
fn a_switch_records_the_branch_that_was_left_and_the_first_one_is_a_branch_point() {
    let sandbox = Sandbox::with_hooks();
    let head = sandbox.git(&["rev-parse", "HEAD"]);
    let said = sandbox.hooked(&["switch", "--quiet", "--create", "feature/a-b"]);
    insta::assert_snapshot!(said.err, @r"
    xtask-db: checkpoint kalito.db.2025-09-13_142930.pages (8.0 KB)
    xtask-db: first time on `feature/a-b`; `cargo xtask db-rollback` restores the database to this state
    ");
    let point = newest(&sandbox);
    assert_eq!(point["git"]["branch"], "main");
    assert_eq!(point["git"]["commit"], head.as_str());
    assert_eq!(point["enters"]["branch"], "feature/a-b");
    assert_eq!(point["enters"]["base"], "main");
    assert_eq!(point["enters"]["commit"], head.as_str());
    sandbox.sql("INSERT INTO messages (content) VALUES ('on the branch')");
    let said = sandbox.hooked(&["switch", "--quiet", "main"]);
    insta::assert_snapshot!(said.err, @r"
    xtask-db: checkpoint kalito.db.2025-09-13_143130.pages (8.0 KB)
    xtask-db: the database stays as it is; on `main` it was different 2min ago: `cargo xtask db-restore kalito.db.2025-09-13_142930.pages`
    ");
    let left = newest(&sandbox);
    assert_eq!(left["git"]["branch"], "feature/a-b");
    assert_eq!(left["enters"], serde_json::Value::Null);
    let said = sandbox.hooked(&["checkout", "--quiet", "-"]);
    assert!(said.err.contains("the database is as it was on `feature/a-b`"), "{}", said.err);
    assert_eq!(newest(&sandbox)["git"]["branch"], "main");
    let enters = sandbox.records("branch").iter().filter(|r| !r["enters"].is_null()).count();
    assert_eq!(enters, 1, "a branch is entered for the first time once");
}

#[test]
fn a_checkout_that_stays_on_its_branch_takes_nothing() {
    let sandbox = Sandbox::with_hooks();
    commit_file(&sandbox, "notes.txt", "one");
    sandbox.write("notes.txt", "two");
    silent(&sandbox, &["checkout", "--quiet", "--", "notes.txt"]);
    silent(&sandbox, &["checkout", "--quiet", "HEAD~1", "--", "backend"]);
    silent(&sandbox, &["restore", "notes.txt"]);
    silent(&sandbox, &["checkout", "--quiet", "main"]);
    silent(&sandbox, &["switch", "--quiet", "main"]);
    silent(&sandbox, &["reset", "--quiet", "--hard", "HEAD~1"]);
    silent(&sandbox, &["branch", "other"]);
    silent(&sandbox, &["branch", "--move", "other", "another"]);
    silent(&sandbox, &["tag", "v1"]);
}

#[test]
fn a_detached_head_has_no_branch_and_the_way_back_is_no_first_entry() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["switch", "--quiet", "--detach"]);
    assert_eq!(newest(&sandbox)["git"]["branch"], "main");
    assert_eq!(newest(&sandbox)["enters"], serde_json::Value::Null);
    commit_file(&sandbox, "notes.txt", "one");
    silent(&sandbox, &["checkout", "--quiet", "--detach", "HEAD~1"]);
    sandbox.hooked(&["switch", "--quiet", "main"]);
    assert_eq!(newest(&sandbox)["git"]["branch"], serde_json::Value::Null);
    assert_eq!(newest(&sandbox)["enters"], serde_json::Value::Null, "main was there before");
}

#[test]
fn after_an_orphan_and_repeated_checkouts_the_branch_left_is_the_right_one() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    sandbox.hooked(&["switch", "--quiet", "--orphan", "fresh"]);
    sandbox.write(".gitignore", "*.db*\n");
    // An orphan has no files: not even `Cargo.toml`, without which there is no configuration.
    sandbox.hooked(&["checkout", "--quiet", "main", "--", "."]);
    sandbox.hooked(&["commit", "--quiet", "--no-verify", "--message=fresh"]);
    for (branch, left) in [("main", "fresh"), ("feature", "main"), ("fresh", "feature")] {
        sandbox.hooked(&["checkout", "--quiet", branch]);
        assert_eq!(newest(&sandbox)["git"]["branch"], left, "entering {branch}");
        silent(&sandbox, &["checkout", "--quiet", branch]);
    }
}

#[test]
fn rebases_cherry_picks_reverts_bisections_and_stashes_are_silent() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    commit_migration(&sandbox, "moods");
    commit_file(&sandbox, "notes.txt", "feature");
    sandbox.hooked(&["switch", "--quiet", "main"]);
    commit_file(&sandbox, "notes.txt", "main");
    // With a conflict, solved by hand and committed in the middle of it.
    assert_eq!(silent(&sandbox, &["cherry-pick", "feature"]).code, Some(1));
    sandbox.write("notes.txt", "both");
    silent(&sandbox, &["add", "notes.txt"]);
    assert_eq!(silent(&sandbox, &["cherry-pick", "--continue"]).code, Some(0));
    assert_eq!(silent(&sandbox, &["cherry-pick", "feature~1"]).code, Some(0));
    let picked = sandbox.git(&["log", "-1", "--format=%B"]);
    assert_eq!(picked.matches("Db-Backup").count(), 1, "it comes along: {picked}");
    assert_eq!(silent(&sandbox, &["revert", "--no-edit", "HEAD"]).code, Some(0));
    silent(&sandbox, &["bisect", "start", "HEAD", "HEAD~3"]);
    silent(&sandbox, &["bisect", "good"]);
    silent(&sandbox, &["bisect", "reset"]);
    sandbox.stage_migration("tags");
    assert_eq!(silent(&sandbox, &["stash", "--quiet", "--include-untracked"]).code, Some(0));
    assert_eq!(silent(&sandbox, &["stash", "pop", "--quiet", "--index"]).code, Some(0));
    silent(&sandbox, &["reset", "--quiet", "--hard"]);
    // What is taken at the end of a rebase is one checkpoint, not one for each commit.
    sandbox.hooked(&["switch", "--quiet", "feature"]);
    assert_eq!(silent(&sandbox, &["rebase", "main"]).code, Some(1));
    sandbox.write("notes.txt", "rebased");
    silent(&sandbox, &["add", "notes.txt"]);
    let before = sandbox.backups().len();
    let said = sandbox.tries(&["rebase", "--continue"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(sandbox.backups().len() <= before + 1, "{said:#?}");
    assert_eq!(sandbox.git(&["branch", "--show-current"]), "feature");
    assert!(!sandbox.path(".git/index.lock").exists());
    // An aborted one goes back to where it began.
    silent(&sandbox, &["reset", "--quiet", "--hard", "HEAD~1"]);
    commit_file(&sandbox, "notes.txt", "again");
    silent(&sandbox, &["rebase", "--quiet", "main~3"]);
    silent(&sandbox, &["rebase", "--abort"]);
}

#[test]
fn a_rebase_or_amendment_that_changes_schema_files_takes_one_checkpoint_at_its_end() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    commit_file(&sandbox, "notes.txt", "feature");
    commit_file(&sandbox, "more.txt", "feature");
    sandbox.hooked(&["switch", "--quiet", "main"]);
    commit_migration(&sandbox, "moods");
    sandbox.hooked(&["switch", "--quiet", "feature"]);
    let before = sandbox.n_of("branch");
    let said = sandbox.hooked(&["rebase", "--quiet", "main"]);
    assert_eq!(said.err.matches("xtask-db: checkpoint").count(), 1, "{}", said.err);
    assert!(said.err.contains("`cargo xtask db-migrate` brings the database"), "{}", said.err);
    assert_eq!(sandbox.n_of("branch"), before + 1);
    let taken = newest(&sandbox);
    assert_eq!(taken["paths"], serde_json::json!(["backend/db/migrations/0002_moods.sql"]));
    assert_eq!(taken["git"]["branch"], "feature");
    // Without any schema file there is none.
    silent(&sandbox, &["commit", "--quiet", "--amend", "--message=other"]);
    // With one, pre-commit has taken it already and migrating is not mentioned.
    sandbox.stage_migration("tags");
    let said = sandbox.hooked(&["commit", "--quiet", "--amend", "--no-edit"]);
    assert!(!said.err.contains("db-migrate"), "{}", said.err);
}

#[test]
fn a_merge_that_brings_migrations_takes_one_checkpoint_and_has_no_trailer() {
    for (how, conflict) in [
        (&["merge", "--quiet", "--ff-only", "feature"][..], false),
        (&["merge", "--quiet", "--no-ff", "--no-edit", "feature"], false),
        (&["merge", "--quiet", "--squash", "feature"], false),
        (&["merge", "--quiet", "--no-edit", "feature"], true),
    ] {
        let sandbox = Sandbox::with_hooks();
        sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
        commit_migration(&sandbox, "moods");
        commit_file(&sandbox, "notes.txt", "feature");
        sandbox.hooked(&["switch", "--quiet", "main"]);
        if conflict {
            commit_file(&sandbox, "notes.txt", "main");
        }
        let before = sandbox.backups().len();
        if conflict {
            assert_eq!(silent(&sandbox, how).code, Some(1));
            sandbox.write("notes.txt", "both");
            silent(&sandbox, &["add", "notes.txt"]);
            sandbox.hooked(&["commit", "--quiet", "--no-edit"]);
            assert_eq!(sandbox.trailers(), [""; 0]);
            continue;
        }
        let said = sandbox.hooked(how);
        assert_eq!(sandbox.backups().len(), before + 1, "{how:?}: {}", said.err);
        assert_eq!(
            newest(&sandbox)["paths"],
            serde_json::json!(["backend/db/migrations/0002_moods.sql"])
        );
        assert!(said.err.contains("`cargo xtask db-migrate`"), "{how:?}: {}", said.err);
        let message = sandbox.git(&["log", "-1", "--format=%s"]);
        if message.starts_with("Merge") {
            assert_eq!(sandbox.trailers(), [""; 0], "{how:?}");
        }
        // A merge without schema files is silent.
        sandbox.hooked(&["reset", "--quiet", "--hard"]);
        sandbox.hooked(&["switch", "--quiet", "--create", "text"]);
        commit_file(&sandbox, "text.txt", "text");
        sandbox.hooked(&["switch", "--quiet", "main"]);
        silent(&sandbox, &["merge", "--quiet", "--no-ff", "--no-edit", "text"]);
    }
}

#[test]
fn a_new_worktree_is_told_how_to_get_a_database_and_has_checkpoints_of_its_own() {
    let sandbox = Sandbox::with_hooks();
    let main_s = sandbox.backup();
    let said = sandbox.hooked(&["worktree", "add", "--quiet", "-b", "side", "../si de's"]);
    assert!(said.err.contains("this worktree has no database at"), "{}", said.err);
    assert!(said.err.contains("`cargo xtask db-restore @main`"), "{}", said.err);
    assert_eq!(sandbox.backups(), [main_s], "nothing is taken");
    let side = sandbox.path("../si de's");
    let xtask = |arguments: &[&str]| {
        let mut command = sandbox.xtask(arguments);
        let said = sandbox.said(&command.current_dir(&side).output().expect("it runs"));
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
    };
    let git = |arguments: &[&str]| {
        let mut command = sandbox.git_at_clock(arguments);
        let said = sandbox.said(&command.current_dir(&side).output().expect("it runs"));
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
        said
    };
    // What the message says works.
    xtask(&["db-restore", "@main", "--yes"]);
    fs_err::write(side.join("backend/db/migrations/0002.sql"), "-- side\n").expect("written");
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message=side"]);
    let record = &sandbox.records("pre-commit")[0];
    assert_eq!(record["git"]["branch"], "side");
    assert_eq!(record["git"]["worktree"], "si-de's", "{record:#}");
    let said = git(&["log", "-1", "--format=%(trailers:key=Db-Backup,valueonly)"]);
    assert!(said.out.starts_with(record["name"].as_str().expect("a name")), "{said:#?}");
    git(&["switch", "--quiet", "--create", "deeper"]);
    assert_eq!(newest(&sandbox)["git"]["branch"], "side");
    // The main work tree is none the wiser.
    silent(&sandbox, &["checkout", "--quiet", "main"]);
}

#[test]
fn a_new_worktree_is_sent_only_to_a_branch_that_has_a_backup() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["branch", "--move", "master"]);
    let greeted = |name: &str| {
        let folder = format!("../{name}");
        sandbox.hooked(&["worktree", "add", "--quiet", "-b", name, &folder]).err
    };
    let said = greeted("first");
    assert!(said.contains("`cargo xtask db-setup` creates it from its migrations"), "{said}");
    sandbox.backup();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    sandbox.backup();
    let said = greeted("second");
    let way = "`cargo xtask db-restore @master` restores the newest backup of `master` there\n";
    assert!(said.contains(way), "{said}");
    let mut status = sandbox.xtask(&["db-status"]);
    let output = status.current_dir(sandbox.path("../second")).output().expect("it runs");
    let said = sandbox.said(&output);
    assert!(said.out.contains("\n    cargo xtask db-restore @master\n"), "{said:#?}");
}

#[test]
fn commits_in_two_worktrees_at_once_both_have_their_checkpoint() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["worktree", "add", "--quiet", "-b", "side", "../side"]);
    let side = sandbox.path("../side");
    fs_err::create_dir_all(side.join("backend/db")).expect("folder");
    fs_err::copy(sandbox.live(), side.join("backend/db/kalito.db")).expect("copied");
    let roots = [sandbox.root(), side];
    for root in &roots {
        fs_err::write(root.join("backend/db/migrations/0002.sql"), "-- both\n").expect("written");
        let mut add = sandbox.git_at_clock(&["add", "--all"]);
        assert!(add.current_dir(root).status().expect("git runs").success());
    }
    let running: Vec<_> = roots
        .iter()
        .map(|root| {
            let mut git = sandbox.git_at_clock(&["commit", "--quiet", "--message=both"]);
            let git = git.current_dir(root).stdout(std::process::Stdio::piped());
            git.stderr(std::process::Stdio::piped()).spawn().expect("git runs")
        })
        .collect();
    for child in running {
        let said = sandbox.said(&child.wait_with_output().expect("it ends"));
        assert_eq!(said.code, Some(0), "{said:#?}");
    }
    let records = sandbox.records("pre-commit");
    assert_eq!(records.len(), 2);
    for (root, worktree) in roots.iter().zip([".", "side"]) {
        let mut log = sandbox.git_at_clock(&["log", "-1", "--format=%B"]);
        let said = sandbox.said(&log.current_dir(root).output().expect("git runs"));
        let mine = records.iter().find(|record| record["git"]["worktree"] == worktree);
        let name = mine.expect("a record")["name"].as_str().expect("a name").to_owned();
        assert!(said.out.contains(&format!("Db-Backup: {name}")), "{worktree}: {}", said.out);
    }
}
