//! Repositories that keep no reflog or keep it elsewhere, branches with odd names, git called in odd
//! ways.

use crate::support::sandbox::Sandbox;

/// The record of the newest checkpoint of kind `branch`.
fn newest(sandbox: &Sandbox) -> serde_json::Value {
    sandbox.records("branch")[0].clone()
}

/// A project with hooks in a repository made in some way, with a first commit.
fn repository(init: &[&str], settings: &[(&str, &str)]) -> Option<Sandbox> {
    let sandbox = Sandbox::new();
    sandbox.configure("schema = [\"backend/db/migrations/*.sql\"]");
    sandbox.write(".gitignore", "*.db*\n");
    let init = [&["init", "--quiet", "--initial-branch=main"], init].concat();
    if sandbox.tries(&init).code != Some(0) {
        let note = format!("SKIPPED: a test needs a git that knows `git {}`\n", init.join(" "));
        std::io::Write::write_all(&mut std::io::stderr(), note.as_bytes()).expect("stderr");
        return None;
    }
    for (name, value) in settings {
        sandbox.hooked(&["config", name, value]);
    }
    sandbox.hooked(&["add", "--all"]);
    sandbox.hooked(&["commit", "--quiet", "--message=first"]);
    sandbox.ok(&["db-hooks", "install"]);
    Some(sandbox)
}

/// A branch is entered, changed and left, and the database goes back to what it was.
fn assert_goes_back(sandbox: &Sandbox) {
    let before = sandbox.content();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    assert_eq!(newest(sandbox)["git"]["branch"], "main");
    assert_eq!(newest(sandbox)["enters"]["branch"], "feature");
    sandbox.stage_migration("moods");
    sandbox.hooked(&["commit", "--quiet", "--message=moods"]);
    assert_eq!(sandbox.trailers().len(), 1);
    sandbox.sql("CREATE TABLE moods (id INTEGER PRIMARY KEY)");
    sandbox.hooked(&["switch", "--quiet", "main"]);
    assert_eq!(newest(sandbox)["git"]["branch"], "feature");
    assert_eq!(newest(sandbox)["enters"], serde_json::Value::Null);
    sandbox.ok(&["db-rollback", "--branch", "feature", "--yes"]);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn without_reflogs_the_branch_that_was_left_is_remembered() {
    let sandbox = repository(&[], &[("core.logAllRefUpdates", "false")]).expect("a repository");
    assert_goes_back(&sandbox);
}

#[test]
fn reflogs_in_a_reftable_are_read_too() {
    let Some(sandbox) = repository(&["--ref-format=reftable"], &[]) else { return };
    assert_goes_back(&sandbox);
}

#[test]
fn a_repository_with_sha256_or_a_git_folder_elsewhere_is_like_any_other() {
    for init in [&["--object-format=sha256"][..], &["--separate-git-dir=../else where"]] {
        let Some(sandbox) = repository(init, &[]) else { continue };
        assert_goes_back(&sandbox);
    }
}

#[test]
fn a_branch_with_any_name_can_be_left_and_gone_back_to() {
    let sandbox = Sandbox::with_hooks();
    for name in
        ["feature/a/b", "it's-\"x\"-$(touch${IFS}oops)-`y`", "ümläut-ß", "a;b&c|d", "#1", "HEAD-1"]
    {
        let before = sandbox.content();
        sandbox.hooked(&["switch", "--quiet", "--create", name]);
        assert_eq!(newest(&sandbox)["enters"]["branch"], name);
        sandbox.sql("INSERT INTO messages (content) VALUES ('more')");
        sandbox.hooked(&["switch", "--quiet", "main"]);
        assert_eq!(newest(&sandbox)["git"]["branch"], name);
        let branch = format!("--branch={name}");
        sandbox.ok(&["db-rollback", &branch, "--yes"]);
        assert_eq!(sandbox.content(), before, "{name}");
    }
    assert!(!sandbox.path("oops").exists());
}

#[test]
fn git_called_from_elsewhere_with_its_folders_named_is_the_same() {
    let sandbox = Sandbox::with_hooks();
    let [folder, git] = ["", ".git"].map(|path| sandbox.path(path).display().to_string());
    let tree = format!("--work-tree={folder}");
    let folders = ["-C", "/", &format!("--git-dir={git}"), &tree];
    for (n, before) in [&folders[..], &["-C", &folder], &["-C", "backend/db"]].iter().enumerate() {
        sandbox.stage_migration(&format!("moods{n}"));
        sandbox.hooked(&[before, &["commit", "--quiet", "--message=moods"][..]].concat());
        assert_eq!((sandbox.n_of("pre-commit"), sandbox.trailers().len()), (n + 1, 1));
        let branch = format!("feature{n}");
        let said = sandbox.hooked(&[before, &["switch", "-qc", &branch][..]].concat());
        assert!(said.err.contains("first time on"), "{before:?}: {}", said.err);
    }
}

#[test]
fn a_rebase_that_switches_branches_first_leaves_no_false_trace() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    sandbox.write("notes.txt", "feature");
    sandbox.hooked(&["add", "notes.txt"]);
    sandbox.hooked(&["commit", "--quiet", "--message=notes"]);
    sandbox.hooked(&["switch", "--quiet", "main"]);
    sandbox.hooked(&["commit", "--quiet", "--allow-empty", "--message=main"]);
    let before = sandbox.backups().len();
    let said = sandbox.hooked(&["rebase", "--quiet", "main", "feature"]);
    assert!(sandbox.backups().len() <= before + 1, "{}", said.err);
    sandbox.hooked(&["switch", "--quiet", "main"]);
    assert_eq!(newest(&sandbox)["git"]["branch"], "feature");
    let points = sandbox.records("branch").into_iter().filter(|r| !r["enters"].is_null());
    assert_eq!(points.count(), 1);
}

#[test]
fn a_pull_of_migrations_takes_a_checkpoint_before_anybody_migrates() {
    for how in ["--ff-only", "--rebase", "--no-rebase"] {
        let sandbox = Sandbox::with_hooks();
        sandbox.hooked(&["clone", "--quiet", ".", "../other"]);
        sandbox.hooked(&["remote", "add", "origin", "../other"]);
        sandbox.write("../other/backend/db/migrations/0002.sql", "-- theirs\n");
        sandbox.hooked(&["-C", "../other", "add", "--all"]);
        sandbox.hooked(&["-C", "../other", "commit", "--quiet", "--message=theirs"]);
        if how != "--ff-only" {
            sandbox.write("notes.txt", "ours");
            sandbox.hooked(&["add", "notes.txt"]);
            sandbox.hooked(&["commit", "--quiet", "--message=ours"]);
        }
        let said = sandbox.hooked(&["pull", "--quiet", how, "--no-edit", "origin", "main"]);
        assert!(said.err.contains("`cargo xtask db-migrate`"), "{how}: {}", said.err);
        let paths = newest(&sandbox)["paths"].clone();
        assert_eq!(paths, serde_json::json!(["backend/db/migrations/0002.sql"]), "{how}");
    }
}

#[test]
fn reflogs_of_another_format_tell_a_branch_from_a_deleted_one_of_its_name() {
    let Some(sandbox) = repository(&["--ref-format=reftable"], &[]) else {
        return;
    };
    sandbox.hooked(&["switch", "--quiet", "--create", "experiment"]);
    sandbox.hooked(&["switch", "--quiet", "main"]);
    sandbox.hooked(&["branch", "--quiet", "-D", "experiment"]);
    sandbox.sql("INSERT INTO messages (content) VALUES ('weeks of work')");
    let before = sandbox.content();
    sandbox.hooked(&["switch", "--quiet", "--create", "experiment"]);
    sandbox.sql("INSERT INTO messages (content) VALUES ('ruin')");
    sandbox.ok(&["db-rollback", "--yes"]);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn the_first_branch_is_never_new_however_fast_one_comes_back_to_it() {
    let sandbox = Sandbox::with_hooks();
    // Everything in the second of the first commit.
    let date = sandbox.git(&["log", "-1", "--format=%cI"]);
    let git = |arguments: &[&str]| {
        let mut git = sandbox.command("git");
        git.env("XTASK_DB_NOW", &date)
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date);
        sandbox.said(&git.args(arguments).output().expect("git runs"))
    };
    let there = git(&["switch", "--quiet", "--create", "feature"]);
    assert!(there.err.contains("first time on `feature`"), "{there:#?}");
    let back = git(&["switch", "--quiet", "main"]);
    assert!(!back.err.contains("first time"), "{back:#?}");
    let again = git(&["switch", "--quiet", "feature"]);
    assert!(!again.err.contains("first time"), "{again:#?}");
}
