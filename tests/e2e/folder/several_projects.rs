//! A backups folder outside the workspace that several projects, clones and worktrees use.

use std::path::Path;

use crate::support::sandbox::{Said, Sandbox, open};

/// The rows of `t`.
fn rows(database: &Path) -> Vec<String> {
    let connection = open(database);
    let mut statement = connection.prepare("SELECT a FROM t ORDER BY rowid").expect("a table");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("texts")
}

/// Writes a workspace whose one database holds its name.
fn project(sandbox: &Sandbox, name: &str) {
    sandbox.write(
        &format!("{name}/Cargo.toml"),
        "[workspace]\nmembers = []\n[workspace.metadata.db.databases.app]\npath = 'app.db'\n",
    );
    sandbox.write(&format!("{name}/.gitignore"), "app.db*\n");
    fill(sandbox, name);
}

fn fill(sandbox: &Sandbox, name: &str) {
    let statements = format!("CREATE TABLE IF NOT EXISTS t (a); INSERT INTO t VALUES ('{name}')");
    open(&sandbox.path(&format!("{name}/app.db"))).execute_batch(&statements).expect("a table");
}

#[expect(clippy::disallowed_methods, reason = "a person moves a folder")]
fn move_to(sandbox: &Sandbox, from: &str, to: &str) {
    fs_err::rename(sandbox.path(from), sandbox.path(to)).expect("moved");
}

fn git(sandbox: &Sandbox, folder: &str, arguments: &[&str]) {
    let mut command = sandbox.command("git");
    let output = command.current_dir(sandbox.path(folder)).args(arguments).output().expect("git");
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
}

fn commit(sandbox: &Sandbox, folder: &str) {
    git(sandbox, folder, &["init", "--quiet", "--initial-branch=main"]);
    git(sandbox, folder, &["add", "--all"]);
    git(sandbox, folder, &["commit", "--quiet", "--message", folder]);
}

/// Two repositories that keep their backups in one folder outside, one backup each.
fn two() -> Sandbox {
    let sandbox = Sandbox::empty();
    for name in ["one", "two"] {
        project(&sandbox, name);
        commit(&sandbox, name);
        ok(&sandbox, name, &["db-backup", "--label", &format!("of {name}")]);
    }
    sandbox
}

fn run(sandbox: &Sandbox, folder: &str, arguments: &[&str]) -> Said {
    let mut command = sandbox.xtask(arguments);
    command.env("DATABASE_BACKUP_DIR", sandbox.path("shared"));
    let output = command.current_dir(sandbox.path(folder)).output();
    sandbox.said(&output.expect("the binary runs"))
}

fn ok(sandbox: &Sandbox, folder: &str, arguments: &[&str]) -> Said {
    let said = run(sandbox, folder, arguments);
    assert_eq!(said.code, Some(0), "{folder}: {arguments:?}: {said:#?}");
    said
}

fn list(sandbox: &Sandbox, folder: &str) -> Vec<serde_json::Value> {
    let said = ok(sandbox, folder, &["db-list", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&said.out).expect("json");
    document["backups"].as_array().expect("backups").clone()
}

/// The label of the backup that `latest` means in a project; empty if it means none.
fn latest(sandbox: &Sandbox, folder: &str) -> String {
    let label = |row: &serde_json::Value| row["label"].as_str().unwrap_or_default().to_owned();
    let listed = list(sandbox, folder).iter().find(|row| row["number"] == "latest").map(label);
    let said = run(sandbox, folder, &["db-restore", "latest", "--into", "out.db"]);
    let _ = fs_err::remove_file(sandbox.path(&format!("{folder}/out.db")));
    assert_eq!(said.code == Some(0), listed.is_some(), "{folder}: {said:#?}");
    listed.unwrap_or_default()
}

#[test]
fn latest_is_the_project_s_own_and_pruning_leaves_the_other_s() {
    let sandbox = two();
    fill(&sandbox, "one");
    ok(&sandbox, "one", &["db-restore", "latest", "--yes"]);
    assert_eq!(rows(&sandbox.path("one/app.db")), ["one"]);
    ok(&sandbox, "one", &["db-prune", "--keep-last", "1", "--yes"]);
    assert_eq!(latest(&sandbox, "two"), "of two");
    ok(&sandbox, "two", &["db-prune", "--keep-last", "1", "--yes"]);
    assert_eq!(latest(&sandbox, "one"), "of one");
    let of_two = list(&sandbox, "one").into_iter().find(|row| row["label"] == "of two");
    assert_eq!(of_two.expect("listed")["whose"], "others");
}

#[test]
fn a_backup_of_another_project_needs_its_exact_name() {
    let sandbox = two();
    let of_two = list(&sandbox, "two").into_iter().find(|row| row["label"] == "of two");
    let name = of_two.expect("listed")["name"].as_str().expect("a name").to_owned();
    let time = name.trim_start_matches("app.db.").trim_end_matches(".bak");
    for reference in [time, &time[..time.len() - 1], "of two", &name[..name.len() - 1]] {
        let said = run(&sandbox, "one", &["db-restore", reference, "--into", "out.db"]);
        assert_eq!(said.code, Some(2), "{reference}: {said:#?}");
    }
    let said = ok(&sandbox, "one", &["db-restore", &name, "--into", "out.db"]);
    assert!(said.err.contains("was taken from `$ROOT/two/app.db`"), "{said:#?}");
    assert_eq!(rows(&sandbox.path("one/out.db")), ["two"]);
}

#[test]
fn a_record_inside_the_workspace_names_no_path_and_one_outside_names_its_home() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    sandbox.backup();
    let record = fs_err::read_to_string(
        sandbox.backup_path(&sandbox.backups()[0]).with_extension("bak.json"),
    );
    let root = sandbox.root().to_string_lossy().into_owned();
    assert!(!record.expect("a record").contains(&root));
    let sandbox = two();
    let home = &list(&sandbox, "two")[0]["home"];
    assert_eq!(home["path"], "$ROOT/two/app.db");
    assert_eq!(home["first_commit"].as_str().map(str::len), Some(40));
}

#[test]
fn a_project_that_was_moved_finds_its_backups_again() {
    let sandbox = two();
    move_to(&sandbox, "two", "three");
    assert_eq!(latest(&sandbox, "three"), "of two");
    let said = ok(&sandbox, "three", &["db-list"]);
    assert_eq!(said.err.matches("$ROOT/two/app.db`, which is gone").count(), 1, "{said:#?}");
    // From its next backup on, nothing is reported any more.
    ok(&sandbox, "three", &["db-backup", "--label", "of three"]);
    assert_eq!(latest(&sandbox, "three"), "of three");
    assert!(!ok(&sandbox, "three", &["db-list"]).err.contains("gone"));
    // The other project still is another one.
    assert_eq!(latest(&sandbox, "one"), "of one");
}

#[test]
fn a_second_clone_is_another_project_as_long_as_the_first_is_there() {
    let sandbox = two();
    let root = sandbox.path("one").to_string_lossy().into_owned();
    git(&sandbox, ".", &["clone", "--quiet", &root, "clone"]);
    fill(&sandbox, "clone");
    assert_eq!(latest(&sandbox, "clone"), "");
    // Also if the first has just lost its database: its backups are what it needs now.
    fs_err::remove_file(sandbox.path("one/app.db")).expect("removed");
    assert_eq!(latest(&sandbox, "clone"), "");
    ok(&sandbox, "clone", &["db-backup", "--label", "of the clone"]);
    ok(&sandbox, "clone", &["db-prune", "--keep-last", "1", "--yes"]);
    assert_eq!(latest(&sandbox, "one"), "of one");
    // A fresh clone in CI, the one before it gone.
    fs_err::remove_dir_all(sandbox.path("one")).expect("removed");
    assert_eq!(latest(&sandbox, "clone"), "of the clone");
    let reason = |row: &serde_json::Value| row["whose"].clone();
    let whose: Vec<_> = list(&sandbox, "clone").iter().map(reason).collect();
    assert_eq!(whose, ["ours", "others", "moved"]);
}

#[test]
fn a_shallow_clone_proves_nothing() {
    let sandbox = two();
    git(&sandbox, "one", &["commit", "--quiet", "--allow-empty", "--message=second"]);
    let url = format!("file://{}", sandbox.path("one").display());
    git(&sandbox, ".", &["clone", "--quiet", "--depth=1", &url, "shallow"]);
    fs_err::remove_dir_all(sandbox.path("one")).expect("removed");
    fill(&sandbox, "shallow");
    assert_eq!(latest(&sandbox, "shallow"), "");
    ok(&sandbox, "shallow", &["db-backup", "--label", "shallow"]);
    assert_eq!(latest(&sandbox, "shallow"), "shallow");
    let rows = list(&sandbox, "shallow");
    assert!(rows[0]["home"].get("first_commit").is_none(), "{rows:#?}");
    assert_eq!(rows[2]["whose"], "unproven");
    ok(&sandbox, "shallow", &["db-prune", "--keep-last", "1", "--yes"]);
    assert_eq!(list(&sandbox, "shallow").len(), 3);
}

#[test]
fn without_git_the_path_alone_counts() {
    let sandbox = Sandbox::empty();
    for name in ["one", "two"] {
        project(&sandbox, name);
        ok(&sandbox, name, &["db-backup", "--label", &format!("of {name}")]);
    }
    assert_eq!(latest(&sandbox, "one"), "of one");
    assert_eq!(latest(&sandbox, "two"), "of two");
    move_to(&sandbox, "two", "three");
    assert_eq!(latest(&sandbox, "three"), "");
}

#[test]
fn linked_worktrees_share_and_symbolic_links_lead_to_the_same_database() {
    let sandbox = two();
    git(&sandbox, "one", &["worktree", "add", "--quiet", "../linked"]);
    fill(&sandbox, "linked");
    // None of its own yet: the main worktree's is taken, and that is reported.
    let said = ok(&sandbox, "linked", &["db-verify"]);
    assert!(said.err.contains("taken in worktree `.`"), "{said:#?}");
    ok(&sandbox, "linked", &["db-backup", "--label", "linked"]);
    assert_eq!(latest(&sandbox, "linked"), "linked");
    assert_eq!(latest(&sandbox, "one"), "of one");
    assert!(list(&sandbox, "one").iter().filter(|row| row["whose"] == "ours").count() == 2);
    // The same project by another way.
    std::os::unix::fs::symlink(sandbox.path("one"), sandbox.path("alias")).expect("a link");
    assert_eq!(latest(&sandbox, "alias"), "of one");
    move_to(&sandbox, "one/app.db", "real.db");
    std::os::unix::fs::symlink("../real.db", sandbox.path("one/app.db")).expect("a link");
    ok(&sandbox, "one", &["db-backup", "--label", "through a link"]);
    assert_eq!(latest(&sandbox, "one"), "through a link");
}

#[test]
fn a_test_database_of_the_same_project_is_not_its_database() {
    let sandbox = two();
    let test = |arguments: &[&str]| {
        let mut command = sandbox.xtask(arguments);
        command
            .env("DATABASE_BACKUP_DIR", sandbox.path("shared"))
            .env("DATABASE_PATH", "test.db")
            .current_dir(sandbox.path("one"));
        let said = sandbox.said(&command.output().expect("the binary runs"));
        assert_eq!(said.code, Some(0), "{said:#?}");
    };
    fs_err::copy(sandbox.path("one/app.db"), sandbox.path("one/test.db")).expect("copied");
    test(&["db-backup", "--label", "test"]);
    assert_eq!(latest(&sandbox, "one"), "of one");
    test(&["db-verify", "latest"]);
}

#[test]
fn older_records_are_unproven_once_a_second_project_is_there() {
    let sandbox = Sandbox::empty();
    for name in ["one", "two"] {
        project(&sandbox, name);
        commit(&sandbox, name);
    }
    ok(&sandbox, "one", &["db-backup", "--label", "old"]);
    ok(&sandbox, "one", &["db-backup", "--label", "older still"]);
    // As a build wrote them that knew nothing of homes, and a script without any record.
    for entry in fs_err::read_dir(sandbox.path("shared")).expect("folder") {
        let path = entry.expect("entry").path();
        if path.extension().is_some_and(|end| end == "json") {
            let text = fs_err::read_to_string(&path).expect("a record");
            let mut record: serde_json::Value = serde_json::from_str(&text).expect("json");
            let record_object = record.as_object_mut().expect("a record");
            assert!(record_object.remove("home").is_some());
            record_object.remove("record_blake3");
            fs_err::write(&path, record.to_string()).expect("written");
        }
    }
    let script = sandbox.path("shared/app.db.2024-01-01_120000.bak");
    fs_err::copy(sandbox.path("one/app.db"), &script).expect("copied");
    assert_eq!(latest(&sandbox, "one"), "older still");
    let whose = |folder: &str| -> Vec<_> {
        list(&sandbox, folder).iter().map(|row| row["whose"].clone()).collect()
    };
    assert_eq!(whose("one"), ["ours", "ours", "ours"]);
    ok(&sandbox, "two", &["db-backup", "--label", "of two"]);
    // Neither project knows whose they are, unless only one project was there.
    assert_eq!(whose("one"), ["others", "unproven", "unproven", "unproven"]);
    assert_eq!(latest(&sandbox, "one"), "");
    ok(&sandbox, "one", &["db-backup", "--label", "new"]);
    assert_eq!(whose("two"), ["others", "ours", "unproven", "unproven", "unproven"]);
    for folder in ["one", "two"] {
        ok(&sandbox, folder, &["db-prune", "--keep-last", "1", "--yes"]);
        assert_eq!(list(&sandbox, folder).len(), 5);
    }
    ok(&sandbox, "one", &["db-restore", "app.db.2024-01-01_120000.bak", "--into", "out.db"]);
}
